package gateway

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// listeners is how many sockets listen on each of these TCP ports of this machine. A gateway that
// replaces its servers listens twice for a moment, and until the old socket is closed the kernel may
// give it a connection.
func listeners(ports ...int) (map[int]int, error) {
	n := make(map[int]int)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if err := countListeners(n, table, ports); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// countListeners adds those of one table, in which sockets that listen stand first. What follows are all connections, of
// which there are thousands in a test of many requests: writing those down is work for the kernel.
func countListeners(n map[int]int, table string, ports []int) error {
	file, err := os.Open(table)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		// sl local_address rem_address st ...: the port is hexadecimal, 0A is LISTEN
		f := strings.Fields(lines.Text())
		if len(f) < 4 || f[3] != "0A" {
			break
		}
		_, hex, _ := strings.Cut(f[1], ":")
		port, err := strconv.ParseInt(hex, 16, 32)
		if err != nil {
			return err
		}
		for _, p := range ports {
			if p == int(port) {
				n[p]++
			}
		}
	}
	return lines.Err()
}
