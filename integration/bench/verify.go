package main

import (
	"fmt"
	"io"
)

// ruled are headers that the rules of the configurations match, one each.
var ruled = []string{"X-Version: v2", "Cookie: group=beta", "User-Agent: Safari on iPhone", "Accept-Language: nb-NO"}

// verify proves that the configuration does what it is measured for: it sends its share to the second upstream, and whom
// its rules match, copies of its share, and of the workload what the gateway has to do.
func (s *setting) verify(c configuration) error {
	err := s.copiesOf(c, users, func() error {
		return s.recorded(users, func() error { return s.verifyShare(c) })
	})
	if err == nil && c.rules {
		err = s.verifyRules(c)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

func (s *setting) verifyRules(c configuration) error {
	for _, header := range ruled {
		for range 3 { // the share may move some of them as well
			second, err := s.ask(c, []byte("GET / HTTP/1.1\r\nHost: "+host+"\r\n"+header+"\r\n\r\n"))
			if err != nil {
				return err
			}
			if !second {
				return fmt.Errorf("no rule matches %q", header)
			}
		}
	}
	return nil
}

// verifyShare asks once for every user.
func (s *setting) verifyShare(c configuration) error {
	moved := 0
	for _, request := range s.workload.requests {
		second, err := s.ask(c, request)
		if err != nil {
			return err
		}
		if second {
			moved++
		}
	}
	share := float64(moved) / users
	if off := share - c.moved; off < -c.moved/2 || off > c.moved/2 {
		return fmt.Errorf("%.1f%% of the users come to the second upstream, not about %.0f%%", 100*share, 100*c.moved)
	}
	return nil
}

// ask sends a request and reports whether the second upstream answered it.
func (s *setting) ask(c configuration, request []byte) (second bool, err error) {
	r, err := s.request(s.addrs[c.name], request)
	if err != nil {
		return false, err
	}
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	length, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return false, err
	}
	return resp.Header.Get(upstreamHeader) == "1", s.workload.check(resp, length)
}
