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
const lowest, end = 12000, 22000

// size is how many of them a process has for itself: a program may take seconds to listen on a port that was found for it,
// and until then others find it free.
const size = 500

// own are the ports of this process, of which none is found again before all others were.
var own struct {
	sync.Mutex
	first int          // 0: none yet
	last  int          // that was tried
	claim net.Listener // on a name that one process at a time can have, and that is free when it ends
}

// next is the port to try after the last.
func next() (int, error) {
	own.Lock()
	defer own.Unlock()
	if own.first == 0 {
		const parts = (end - lowest) / size
		for i, any := 0, rand.IntN(parts); i < parts && own.claim == nil; i++ {
			own.first = lowest + (any+i)%parts*size
			own.claim, _ = net.Listen("unix", fmt.Sprintf("@grayling-ports-%d", own.first)) // a name in no directory
		}
		if own.claim == nil {
			own.first = 0
			return 0, fmt.Errorf("%d processes have all ports from %d to %d: let some of them end", parts, lowest, end-1)
		}
		own.last = own.first - 1
	}
	if own.last++; own.last == own.first+size {
		own.last = own.first
	}
	return own.last, nil
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
	for range size {
		if len(ports) == n {
			return ports, nil
		}
		port, err := next()
		if err != nil {
			return nil, err
		}
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
	return nil, fmt.Errorf("%d free ports of %d to %d were not found", n, own.first, own.first+size-1)
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
