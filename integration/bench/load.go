package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is a fixed number of connections, each of which carries one request at a time. It takes little time itself.
type client []connection

// connection sends the requests of the workload in their order, each when the one before was answered.
type connection interface {
	exchange() error // one request and its response
	Close() error
}

// connect opens the connections to a configuration, which begin at different users.
func (s *setting) connect(name string, connections int) (client, error) {
	open := s.cleartext
	if s.workload.edge {
		open = s.encrypted
	}
	var c client
	for i := range connections {
		conn, err := open(s.addrs[name], i*users/connections)
		if err != nil {
			c.close()
			return nil, err
		}
		c = append(c, conn)
	}
	return c, nil
}

func (c client) close() {
	for _, conn := range c {
		conn.Close()
	}
}

// send sends n requests over every connection and waits for all responses.
func (c client) send(n int) error {
	failed := make(chan error, len(c))
	for _, conn := range c {
		go func() {
			var err error
			for sent := 0; sent < n && err == nil; sent++ {
				err = conn.exchange()
			}
			failed <- err
		}()
	}
	var err error
	for range c {
		if e := <-failed; e != nil {
			err = e
		}
	}
	return err
}

// cleartext is a connection without TLS, over HTTP/1.1.
type cleartext struct {
	net.Conn
	r        *bufio.Reader
	requests [][]byte
	next     int // which of the requests comes next
}

func (s *setting) cleartext(addr string, first int) (connection, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &cleartext{Conn: conn, r: bufio.NewReader(conn), requests: s.workload.requests, next: first}, nil
}

func (c *cleartext) exchange() error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(c.requests[c.next]); err != nil {
		return err
	}
	c.next = (c.next + 1) % len(c.requests)
	return c.receive()
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
)

// receive reads a response, which has to be a success with a length.
func (c *cleartext) receive() error {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, statusOK) {
		return fmt.Errorf("the gateway answered %q", line)
	}
	length := -1
	for len(line) > 2 {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return err
		}
		if text, ok := bytes.CutPrefix(line, contentLength); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("the gateway's response has no Content-Length")
	}
	_, err = c.r.Discard(length)
	return err
}
