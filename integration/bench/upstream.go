package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/integration/port"
)

// serveUpstreams is the argument that makes this program the upstreams' process.
const serveUpstreams = "serve-upstreams"

// startUpstreams runs two upstreams in a process of their own and returns their addresses.
func startUpstreams(ctx context.Context) (*process, []string, error) {
	ports, err := port.Find(2)
	if err != nil {
		return nil, nil, err
	}
	addrs := []string{address(ports[0]), address(ports[1])}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	p, err := start(program(ctx, self, append([]string{serveUpstreams}, addrs...)...))
	if err != nil {
		return nil, nil, err
	}
	for _, addr := range addrs {
		if err := p.answers(addr); err != nil {
			return nil, nil, err
		}
	}
	return p, addrs, nil
}

// upstreams serves at the addresses until somebody ends the process.
func upstreams(addrs []string) error {
	failed := make(chan error)
	for number, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() { failed <- accept(l, answer(number)) }()
	}
	return <-failed
}

// answer is an upstream's only response: a page of one kilobyte.
func answer(number int) []byte {
	body := `{"items":"` + strings.Repeat("0123456789abcdef", 63) + "\"}\n"
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: %s\r\nServer: upstream\r\n%s: %d\r\nContent-Type: application/json\r\n"+
		"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", time.Now().UTC().Format(time.RFC1123), upstreamHeader, number, len(body), body)
}

// upstreamHeader names the upstream, by its number, in every response.
const upstreamHeader = "X-Upstream"

func accept(l net.Listener, answer []byte) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go serve(conn, answer)
	}
}

// serve answers every request on a connection. Requests have no body, so a blank line ends each.
func serve(conn net.Conn, answer []byte) error {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(line) > 2 {
			continue
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
}
