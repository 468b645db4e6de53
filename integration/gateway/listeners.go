package gateway

import (
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
		data, err := os.ReadFile(table)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			// sl local_address rem_address st ...: the port is hexadecimal, 0A is LISTEN
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseInt(hex, 16, 32)
			if err != nil {
				return nil, err
			}
			for _, p := range ports {
				if p == int(port) {
					n[p]++
				}
			}
		}
	}
	return n, nil
}
