package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ruled are headers that the rules of the configurations match, one each.
var ruled = []string{"X-Version: v2", "Cookie: group=beta", "User-Agent: Safari on iPhone", "Accept-Language: nb-NO"}

// verify proves that the configuration does what it is measured for: it sends its share to the second upstream, and whom
// its rules match.
func (c configuration) verify(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(conn)
	moved := 0
	for _, request := range requests {
		second, err := ask(conn, r, request)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if second {
			moved++
		}
	}
	share := float64(moved) / float64(len(requests))
	if off := share - c.moved; off < -c.moved/2 || off > c.moved/2 {
		return fmt.Errorf("%s sends %.1f%% of the users to the second upstream, not about %.0f%%", c.name, 100*share, 100*c.moved)
	}
	if !c.rules {
		return nil
	}
	for _, header := range ruled {
		for range 3 { // the share may move some of them as well
			second, err := ask(conn, r, []byte("GET / HTTP/1.1\r\nHost: shop.example\r\n"+header+"\r\n\r\n"))
			if err == nil && !second {
				err = fmt.Errorf("no rule matches %q", header)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// ask sends a request and reports whether the second upstream answered it.
func ask(conn net.Conn, r *bufio.Reader, request []byte) (second bool, err error) {
	if _, err := conn.Write(request); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return false, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the gateway answered %s: %s", resp.Status, body)
	}
	return resp.Header.Get(upstreamHeader) == "1", nil
}
