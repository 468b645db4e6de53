// Package port finds ports of this machine for the programs under test.
package port

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports lie below those that the kernel gives to whoever asks for any, such as connections, so that none of these
// takes one before the program listens that it was found for.
const lowest, end = 12000, 32768

// last is the port that was tried last: a program may take seconds to listen on one that was found for it, so none is
// found again before all others were.
var last = struct {
	sync.Mutex
	port int
}{port: lowest + rand.IntN(end-lowest)}

func next() int {
	last.Lock()
	defer last.Unlock()
	if last.port++; last.port >= end {
		last.port = lowest
	}
	return last.port
}

// Find returns n different ports on which nobody listens, on any address, for TCP or for UDP.
func Find(n int) ([]int, error) {
	var held []net.Listener // until all are found, so that none is found twice
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	ports := make([]int, 0, n)
	for range end - lowest {
		if len(ports) == n {
			return ports, nil
		}
		port := next()
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		held = append(held, l)
		if u, err := net.ListenPacket("udp", ":"+strconv.Itoa(port)); err == nil {
			u.Close()
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("%d free ports of %d to %d were not found", n, lowest, end-1)
}

// Free is [Find] for tests, which fail without ports.
func Free(t testing.TB, n int) []int {
	t.Helper()
	ports, err := Find(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// Address returns 127.0.0.1 with a port of [Free].
func Address(t testing.TB) string {
	t.Helper()
	return "127.0.0.1:" + strconv.Itoa(Free(t, 1)[0])
}
