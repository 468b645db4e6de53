//go:build !race

package assign

import (
	"runtime"
	"strconv"
	"testing"
)

// TestMillionClients: a million clients take 200 MB at most, and are all there.
func TestMillionClients(t *testing.T) {
	const clients = 1_000_000
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapInuse)
	}
	before := heap()
	m := NewMemory(clients)
	for i := range clients {
		m.Remember("0197b2d4-33c1-7c1e-9a51-"+strconv.Itoa(i), Assignment{Variant: "canary", Generation: 1, Expires: int64(i)})
	}
	taken := heap() - before
	if taken > 200e6 {
		t.Errorf("a million clients take %d MB", taken/1e6)
	}
	t.Logf("a million clients take %d MB", taken/1e6)
	for i := range clients {
		if a, known := Recall(m, "0197b2d4-33c1-7c1e-9a51-"+strconv.Itoa(i)); !known || a.Expires != int64(i) {
			t.Fatalf("client %d is %+v, %v", i, a, known)
		}
	}
	m.Remember("one more", Assignment{})
	if _, known := Recall(m, "0197b2d4-33c1-7c1e-9a51-0"); known || m.Len() != clients {
		t.Errorf("there are %d clients, and the oldest is known: %v", m.Len(), known)
	}
}
