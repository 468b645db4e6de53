// Package faulty stands between a client and a server as a network that has faults.
package faulty

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Link passes on whatever connections to it carry, until it is cut.
type Link struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool                  // guarded by mu
	delay time.Duration         // of everything in either direction; guarded by mu
	open  map[net.Conn]struct{} // guarded by mu

	bytes atomic.Int64
}

// Listen returns a link to an address. It ends with the test.
func Listen(t testing.TB, target string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{listener: listener, target: target, open: make(map[net.Conn]struct{})}
	var working sync.WaitGroup
	working.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			working.Go(func() { l.serve(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.Cut()
		working.Wait()
	})
	return l
}

// Addr is where the link takes connections.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut ends all connections, and those that are made from now on, at once.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for conn := range l.open {
		conn.Close()
	}
}

// Mend has connections passed on again.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// Delay has whatever is sent from now on arrive so much later.
func (l *Link) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Bytes returns how much was passed on, in both directions.
func (l *Link) Bytes() int64 { return l.bytes.Load() }

// keep remembers a connection, and closes it if the link is cut.
func (l *Link) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		conn.Close()
		return false
	}
	l.open[conn] = struct{}{}
	return true
}

func (l *Link) drop(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
	conn.Close()
}

// serve passes on one connection until either side ends it.
func (l *Link) serve(client net.Conn) {
	if !l.keep(client) {
		return
	}
	defer l.drop(client)
	server, err := net.Dial("tcp", l.target)
	if err != nil || !l.keep(server) {
		return
	}
	defer l.drop(server)
	var both sync.WaitGroup
	both.Go(func() { l.pass(client, server) })
	both.Go(func() { l.pass(server, client) })
	both.Wait()
}

// pass copies what comes from one side to the other.
func (l *Link) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		l.mu.Lock()
		delay := l.delay
		l.mu.Unlock()
		time.Sleep(delay)
		l.bytes.Add(int64(n))
		if _, failed := to.Write(chunk[:n]); failed != nil || err != nil {
			return
		}
	}
}
