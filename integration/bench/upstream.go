package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/integration/port"
)

// serveUpstreams is the argument that makes this program the upstreams' process.
const serveUpstreams = "serve-upstreams"

// roles are what the upstreams are for, in the order of their addresses: the two that answer, one that counts the copies
// that it answers, and those that mirrors should not suffer from. The last does not listen.
var roles = []string{"FIRST", "SECOND", "COPIES", "HANGS", "FLOODS", "DRIPS", "REFUSES"}

// role returns the place of an upstream among all.
func role(name string) int { return slices.Index(roles, name) }

// startUpstreams runs the upstreams in a process of their own and returns their addresses.
func startUpstreams(ctx context.Context, w *workload) (*process, []string, error) {
	ports, err := port.Find(len(roles))
	if err != nil {
		return nil, nil, err
	}
	var addrs []string
	for _, port := range ports {
		addrs = append(addrs, address(port))
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	p, err := start(program(ctx, self, append([]string{serveUpstreams, w.name}, addrs[:role("REFUSES")]...)...))
	if err != nil {
		return nil, nil, err
	}
	for _, addr := range addrs[:role("HANGS")] {
		if err := p.answers(http.DefaultTransport, "http://"+addr); err != nil {
			return nil, nil, err
		}
	}
	return p, addrs, nil
}

// upstreams serves until somebody ends the process. The arguments are the workload's name and the addresses.
func upstreams(args []string) error {
	w, err := workloadNamed(args[0])
	if err != nil {
		return err
	}
	failed := make(chan error)
	serving := []func(net.Conn) error{
		answering(w.answer(0)), answering(w.answer(1)), counting(w.answer(role("COPIES")), new(atomic.Int64)), hang, flood, drip,
	}
	for number, addr := range args[1:] {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() { failed <- accept(l, serving[number]) }()
	}
	return <-failed
}

func accept(l net.Listener, serve func(net.Conn) error) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = serve(conn) // clients close connections as they like
		}()
	}
}

// answering answers every request on a connection.
func answering(answer []byte) func(net.Conn) error {
	return func(conn net.Conn) error {
		r := bufio.NewReader(conn)
		for {
			if _, err := readRequest(r); err != nil {
				return err
			}
			if _, err := conn.Write(answer); err != nil {
				return err
			}
		}
	}
}

// countPath is where an upstream that counts tells how many requests it answered, without those for this.
const countPath = "/count"

// counting answers every request, and counts them.
func counting(usual []byte, n *atomic.Int64) func(net.Conn) error {
	return func(conn net.Conn) error {
		r := bufio.NewReader(conn)
		for {
			path, err := readRequest(r)
			if err != nil {
				return err
			}
			reply := usual
			if path == countPath {
				count := strconv.FormatInt(n.Load(), 10)
				reply = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(count), count)
			} else {
				n.Add(1)
			}
			if _, err := conn.Write(reply); err != nil {
				return err
			}
		}
	}
}

// readRequest reads a request without a body, so that a blank line ends it, and returns its path.
func readRequest(r *bufio.Reader) (path string, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	target, _, _ := bytes.Cut(rest, []byte(" "))
	path = string(target)
	for len(line) > 2 {
		if line, err = r.ReadSlice('\n'); err != nil {
			return "", err
		}
	}
	return path, nil
}

// hang takes requests and never answers.
func hang(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	return err
}

// flood answers 100 MB.
func flood(conn net.Conn) error {
	if _, err := readRequest(bufio.NewReader(conn)); err != nil {
		return err
	}
	const length = 100 << 20
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length); err != nil {
		return err
	}
	part := make([]byte, 64<<10)
	for range length / len(part) {
		if _, err := conn.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// drip answers one byte a second.
func drip(conn net.Conn) error {
	if _, err := readRequest(bufio.NewReader(conn)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"); err != nil {
		return err
	}
	for {
		time.Sleep(time.Second)
		if _, err := io.WriteString(conn, "x"); err != nil {
			return err
		}
	}
}
