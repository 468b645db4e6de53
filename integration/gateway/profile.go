package gateway

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Goroutines is the number of goroutines in the running gateway.
func (g *Gateway) Goroutines(t testing.TB) int {
	t.Helper()
	return g.profile(t, "goroutine?debug=1", `goroutine profile: total (\d+)`)
}

// Heap is how many bytes the running gateway uses after a garbage collection.
func (g *Gateway) Heap(t testing.TB) int {
	t.Helper()
	return g.profile(t, "heap?gc=1&debug=1", `# HeapAlloc = (\d+)`)
}

// PeakMemory is how much memory the running gateway's process had at most, in bytes: the peak of its resident set.
func (g *Gateway) PeakMemory(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.instance.pid()))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("the process has no VmHWM: %s", status)
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// profile reads a number in one of the gateway's own profiles.
func (g *Gateway) profile(t testing.TB, path, number string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.instance.pprof()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := send(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(number).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s says %s without %s", path, resp.Status, number)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	return n
}
