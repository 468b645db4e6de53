package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// copiesOf does something with a gateway, and waits until the copies that it sends have arrived. It is an error if
// they are not the configuration's share of so many requests: a gateway that leaves out copies has less to do.
func (s *setting) copiesOf(c configuration, requests int, do func() error) error {
	if c.copied == 0 {
		return do()
	}
	before, err := s.counted(c.copies)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	want := c.copied * float64(requests)
	for deadline := time.Now().Add(patience); ; {
		now, err := s.counted(c.copies)
		if err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
		again, err := s.counted(c.copies)
		if err != nil {
			return err
		}
		copies := float64(again - before)
		if off := math.Abs(copies - want); now == again && off <= max(want/2, 4*math.Sqrt(want)) { // as few requests may have it
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s sent %.0f copies of %d requests, not about %.0f", c.name, copies, requests, want)
		}
	}
}

// counted is how many requests an upstream took until now.
func (s *setting) counted(name string) (int, error) {
	resp, err := s.client.Get("http://" + s.upstreams[role(name)] + countPath)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s answered %s", name, resp.Status)
	}
	return strconv.Atoi(string(text))
}
