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

// roles are what the upstreams are for, in the order of their addresses: the two that answer, one that answers copies,
// and those that mirrors should not suffer from. The last does not listen.
var roles = []string{"FIRST", "SECOND", "COPIES", "HANGS", "FLOODS", "DRIPS", "REFUSES"}

// role returns the place of an upstream among all.
func role(name string) int { return slices.Index(roles, name) }

// startUpstreams runs the upstreams in a process of their own and returns their addresses. The first takes delay for an
// answer, all else none.
func startUpstreams(ctx context.Context, w *workload, delay time.Duration) (*process, []string, error) {
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
	listening := addrs[:role("REFUSES")]
	p, err := start(program(ctx, self, append([]string{serveUpstreams, w.name, delay.String()}, listening...)...))
	if err != nil {
		return nil, nil, err
	}
	for _, addr := range listening {
		if err := p.answers(http.DefaultTransport, "http://"+addr+countPath); err != nil {
			return nil, nil, err
		}
	}
	return p, addrs, nil
}

// upstreams serves until somebody ends the process. The arguments are the workload's name, how long the first takes to
// answer, and the addresses.
func upstreams(args []string) error {
	w, err := workloadNamed(args[0])
	if err != nil {
		return err
	}
	delay, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	failed := make(chan error)
	serving := []func(*visitor) error{
		answering(w.answer(0), delay), answering(w.answer(1), 0), answering(w.answer(role("COPIES")), 0), hang, flood, drip,
	}
	for number, addr := range args[2:] {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() { failed <- accept(l, serving[number]) }()
	}
	return <-failed
}

func accept(l net.Listener, serve func(*visitor) error) error {
	taken := new(atomic.Int64)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = serve(&visitor{Conn: conn, r: bufio.NewReader(conn), taken: taken}) // clients close connections as they like
		}()
	}
}

// visitor is a connection to an upstream.
type visitor struct {
	net.Conn
	r     *bufio.Reader
	taken *atomic.Int64 // requests that the upstream took over all its connections
}

// countPath is where every upstream tells how many requests it took, without those for this.
const countPath = "/count"

// request takes the next request.
func (v *visitor) request() error {
	for {
		path, err := readRequest(v.r)
		if err != nil {
			return err
		}
		if path != countPath {
			v.taken.Add(1)
			return nil
		}
		count := strconv.FormatInt(v.taken.Load(), 10)
		if _, err := fmt.Fprintf(v, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(count), count); err != nil {
			return err
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

// answering answers every request on a connection.
func answering(answer []byte, delay time.Duration) func(*visitor) error {
	return func(v *visitor) error {
		for {
			if err := v.request(); err != nil {
				return err
			}
			time.Sleep(delay)
			if _, err := v.Write(answer); err != nil {
				return err
			}
		}
	}
}

// hang takes requests and never answers.
func hang(v *visitor) error {
	for {
		if err := v.request(); err != nil {
			return err
		}
	}
}

// flood answers 100 MB.
func flood(v *visitor) error {
	if err := v.request(); err != nil {
		return err
	}
	const length = 100 << 20
	if _, err := fmt.Fprintf(v, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length); err != nil {
		return err
	}
	part := make([]byte, 64<<10)
	for range length / len(part) {
		if _, err := v.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// drip answers one byte a second.
func drip(v *visitor) error {
	if err := v.request(); err != nil {
		return err
	}
	if _, err := io.WriteString(v, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"); err != nil {
		return err
	}
	for {
		time.Sleep(time.Second)
		if _, err := io.WriteString(v, "x"); err != nil {
			return err
		}
	}
}
