package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// accessLog is the file's name in the directory that the gateway runs in.
const accessLog = "access.log"

// metrics is where a gateway shows what Prometheus asks for.
type metrics struct {
	client  http.Client
	addr    string
	counter string // the name of that of requests
}

// recorded does something with a gateway, and waits until the access log and the metrics, where the workload has them,
// show so many requests more: a gateway that does not write them has less to do.
func (s *setting) recorded(sent int, do func() error) error {
	if !s.workload.edge {
		return do()
	}
	if err := s.emptyLog(); err != nil {
		return err
	}
	requests, err := s.metrics.requests()
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // both come after the response
		logged, err := s.logged()
		if err != nil {
			return err
		}
		now, err := s.metrics.requests()
		if err != nil {
			return err
		}
		counted := now - requests
		if logged >= sent && counted >= sent {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("of %d requests, %d are in the access log and %d in the metrics", sent, logged, counted)
		}
	}
}

// logged is how many requests over HTTP/2 are in the access log.
func (s *setting) logged() (count int, err error) {
	text, err := os.ReadFile(filepath.Join(s.dir, accessLog))
	if err != nil {
		return 0, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(whole) {
		var entry struct {
			RequestProtocol string                 // Traefik's
			Request         struct{ Proto string } // Caddy's
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return 0, fmt.Errorf("the access log has %q: %w", line, err)
		}
		if entry.RequestProtocol == "HTTP/2.0" || entry.Request.Proto == "HTTP/2.0" {
			count++
		}
	}
	return count, nil
}

// emptyLog cuts the access log to nothing, as those do who rotate it by copying: gateways append to it.
func (s *setting) emptyLog() error {
	err := os.Truncate(filepath.Join(s.dir, accessLog), 0)
	if errors.Is(err, fs.ErrNotExist) && !s.workload.edge {
		return nil
	}
	return err
}

// requests is what the counter says, of all its labels together.
func (m *metrics) requests() (int, error) {
	resp, err := m.client.Get("http://" + m.addr + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the gateway answered %s to Prometheus", resp.Status)
	}
	sum := 0.0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if sample, ok := strings.CutPrefix(lines.Text(), m.counter+"{"); ok {
			value, err := strconv.ParseFloat(sample[strings.LastIndexByte(sample, ' ')+1:], 64)
			if err != nil {
				return 0, fmt.Errorf("the gateway showed Prometheus %q: %w", lines.Text(), err)
			}
			sum += value
		}
	}
	return int(sum), lines.Err()
}
