package traefikconfig

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// backends stand where configurations say that services are: every address of 10.0.0.0/8, and every service called stable
// or canary, is exchanged for one of ours.
type backends struct {
	t         *testing.T
	mu        sync.Mutex
	addresses map[string]string // guarded by mu: of a backend, by the address that it stands for
	asked     map[string]int    // guarded by mu: how often, by the address that it stands for
}

func newBackends(t *testing.T) *backends {
	return &backends{t: t, addresses: make(map[string]string), asked: make(map[string]int)}
}

var internal = regexp.MustCompile(`\b(10\.\d+\.\d+\.\d+|stable|canary):\d+\b`)

// local exchanges the addresses in a configuration.
func (b *backends) local(text string) string {
	return internal.ReplaceAllStringFunc(text, b.address)
}

// address returns the address of the backend that stands for another, starting it at the first call.
func (b *backends) address(stands string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addresses[stands] == "" {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.answer(stands, w, r) }))
		b.t.Cleanup(server.Close)
		b.addresses[stands] = strings.TrimPrefix(server.URL, "http://")
	}
	return b.addresses[stands]
}

// answer tells who answers, and what reached it. The path /hang is not answered at all.
func (b *backends) answer(stands string, w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.asked[stands]++
	own := r.Host == b.addresses[stands]
	b.mu.Unlock()
	if r.URL.Path == "/hang" {
		<-r.Context().Done()
		return
	}
	w.Header().Set("X-Backend", stands)
	w.Header().Set("X-Saw", fmt.Sprintf("%q %q own host %v", r.Header["X-Lane"], r.Header["Baggage"], own))
}

// variant is the variant to which a backend belongs: by its service's name, or 10.0.0.x is stable, 10.0.1.x canary, 10.0.2.x mock.
func variant(stands string) string {
	for prefix, name := range map[string]string{"10.0.0.": "stable", "10.0.1.": "canary", "10.0.2.": "mock", "stable:": "stable", "canary:": "canary"} {
		if strings.HasPrefix(stands, prefix) {
			return name
		}
	}
	return stands
}

// request is what a client asks; Header holds "Name: value" lines.
type request struct {
	method string // GET if empty
	target string
	header []string
}

// result is what came of a request, without what differs from one upstream of a variant to the next.
type result struct {
	Status                      int
	Backend, Saw, Announced, By string
}

func (p *traefik) ask(t *testing.T, host string, q request) result {
	t.Helper()
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequest(method, "http://"+p.web+q.target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for _, line := range q.header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	h := response.Header
	return result{Status: response.StatusCode, Backend: h.Get("X-Backend"), Saw: h.Get("X-Saw"), Announced: h.Get("X-Variant"),
		By: variant(h.Get("X-Backend"))}
}
