package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// versions are the fake versions of the demo's service. As a handler they tell how each behaves, and change it.
type versions struct{ list []*version }

// version is a server that fails and waits as it is told.
type version struct {
	name   string
	addr   string
	server *http.Server

	mu        sync.Mutex
	errorRate float64       // guarded by mu
	latency   time.Duration // of half of the answers; guarded by mu
}

// turn is how a version is to behave; what is nil stays.
type turn struct {
	Name      string   `json:"name"`
	ErrorRate *float64 `json:"error_rate,omitempty"` // from 0 to 1
	Latency   *float64 `json:"latency_ms,omitempty"` // of half of the answers; up to ten seconds
}

func newVersions(names ...string) (*versions, error) {
	all := &versions{}
	for _, name := range names {
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			all.close()
			return nil, err
		}
		v := &version{name: name, addr: listener.Addr().String(), errorRate: 0.004, latency: 60 * time.Millisecond}
		v.server = &http.Server{Handler: v, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = v.server.Serve(listener) }() // until it is closed
		all.list = append(all.list, v)
	}
	return all, nil
}

func (all *versions) close() {
	for _, v := range all.list {
		_ = v.server.Close() // it is the end
	}
}

// ServeHTTP of a version answers as it is told. Latencies are as those of real services: few are much longer.
func (v *version) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	errorRate, latency := v.errorRate, v.latency
	v.mu.Unlock()
	const spread = 0.3 // of a log-normal distribution: 1 of 20 takes 1.6 times the median
	wait := time.NewTimer(time.Duration(float64(latency) * math.Exp(spread*rand.NormFloat64())))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
		return
	}
	if rand.Float64() < errorRate {
		http.Error(w, v.name+" failed", http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintf(w, "%s answers\n", v.name) // the client may be gone
}

// ServeHTTP of all tells how they behave, and has one behave otherwise.
func (all *versions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var t turn
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
		if err == nil {
			err = json.Unmarshal(content, &t)
		}
		if err == nil {
			err = all.turn(t)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	told := []turn{}
	for _, v := range all.list {
		v.mu.Lock()
		errorRate, latency := v.errorRate, float64(v.latency)/float64(time.Millisecond)
		v.mu.Unlock()
		told = append(told, turn{Name: v.name, ErrorRate: &errorRate, Latency: &latency})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(told) // the client may be gone
}

func (all *versions) turn(t turn) error {
	for _, v := range all.list {
		if v.name != t.Name {
			continue
		}
		if t.ErrorRate != nil && !(*t.ErrorRate >= 0 && *t.ErrorRate <= 1) {
			return fmt.Errorf("error_rate: %g is not from 0 to 1", *t.ErrorRate)
		}
		if t.Latency != nil && !(*t.Latency >= 0 && *t.Latency <= 10000) {
			return fmt.Errorf("latency_ms: %g is not from 0 to 10000", *t.Latency)
		}
		v.turn(t)
		return nil
	}
	return fmt.Errorf("there is no version %.40q", t.Name)
}

// turn changes what was said of the version.
func (v *version) turn(t turn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.ErrorRate != nil {
		v.errorRate = *t.ErrorRate
	}
	if t.Latency != nil {
		v.latency = time.Duration(*t.Latency * float64(time.Millisecond))
	}
}
