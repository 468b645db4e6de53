package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// client is a fixed number of connections, each of which carries one request at a time. It takes little time itself.
type client []*connection

type connection struct {
	net.Conn
	r    *bufio.Reader
	next int // which of the requests comes next
}

func connect(addr string, connections int) (client, error) {
	var c client
	for i := range connections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			c.close()
			return nil, err
		}
		c = append(c, &connection{Conn: conn, r: bufio.NewReader(conn), next: i * len(requests) / connections})
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
		conn.SetDeadline(time.Now().Add(patience))
		go func() { failed <- conn.send(n) }()
	}
	var err error
	for range c {
		if e := <-failed; e != nil {
			err = e
		}
	}
	return err
}

func (c *connection) send(n int) error {
	for range n {
		if _, err := c.Write(requests[c.next]); err != nil {
			return err
		}
		c.next = (c.next + 1) % len(requests)
		if err := c.receive(); err != nil {
			return err
		}
	}
	return nil
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
)

// receive reads a response, which has to be a success with a length.
func (c *connection) receive() error {
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

// requests are what browsers send, of a thousand users. Their number of headers and their length vary, so that no
// configuration stands alone at the step at which a map or a buffer has to grow.
var requests = func() [][]byte {
	optional := []string{"Referer: https://shop.example/items", "DNT: 1", "Origin: https://shop.example", "Sec-GPC: 1",
		"Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin", "Priority: u=4"}
	list := make([][]byte, 1000)
	for i := range list {
		var more strings.Builder
		for _, header := range optional[:i%(len(optional)+1)] {
			more.WriteString(header + "\r\n")
		}
		session := strings.Repeat("8c1f2b7e", 2+i%128)
		list[i] = fmt.Appendf(nil, "GET /api/items?page=2&sort=price HTTP/1.1\r\nHost: shop.example\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0\r\n"+
			"Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"+
			"Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: session=%s; uid=user-%d; theme=dark\r\n"+
			"X-Forwarded-For: 203.0.113.7\r\nX-Request-Id: 3f2c9a54-7f0e-4d0b-a1c6-0b6f4f9e%04d\r\n%s\r\n", session, i, i, &more)
	}
	return list
}()
