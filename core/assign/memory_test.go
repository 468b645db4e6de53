package assign

import (
	"fmt"
	"math/rand"
	"strconv"
	"sync"
	"testing"
)

// twin is a memory as one would write it on paper: clients in the order of their use, the latest last.
type twin struct {
	capacity int
	order    []string
	known    map[string]Assignment
}

func (w *twin) use(client string) {
	for i, other := range w.order {
		if other == client {
			w.order = append(w.order[:i:i], w.order[i+1:]...)
			break
		}
	}
	w.order = append(w.order, client)
}

func (w *twin) trim() {
	for len(w.order) > w.capacity {
		delete(w.known, w.order[0])
		w.order = w.order[1:]
	}
}

// TestMemoryAgreesWithItsSlowTwin through random uses, with changes of its size.
func TestMemoryAgreesWithItsSlowTwin(t *testing.T) {
	const seed = 5
	random := rand.New(rand.NewSource(seed))
	m, w := NewMemory(8), &twin{capacity: 8, known: map[string]Assignment{}}
	for step := 0; step < 4000; step++ {
		client := "client-" + strconv.Itoa(random.Intn(24))
		action := random.Intn(100)
		switch {
		case action == 0:
			w.capacity = 1 + random.Intn(16)
			w.trim()
			m.Resize(w.capacity)
		case action < 50:
			a := Assignment{Variant: fmt.Sprint("v", action), Generation: uint64(step), Expires: int64(step)}
			w.known[client] = a
			w.use(client)
			w.trim()
			m.Remember(client, a)
		default:
			want, wantKnown := w.known[client]
			if wantKnown {
				w.use(client)
			}
			if got, known := Recall(m, client); known != wantKnown || known && got != want {
				t.Fatalf("seed %d, step %d: %s is %+v, %v; want %+v, %v", seed, step, client, got, known, want, wantKnown)
			}
		}
		if m.Len() != len(w.order) {
			t.Fatalf("seed %d, step %d: %d clients, want %d", seed, step, m.Len(), len(w.order))
		}
	}
}

func TestMemoryOfOne(t *testing.T) {
	m := NewMemory(1)
	for _, client := range []string{"a", "b", "b", ""} {
		m.Remember(client, canary())
		if _, known := Recall(m, client); !known || m.Len() != 1 {
			t.Errorf("%q is not remembered among %d", client, m.Len())
		}
	}
	if _, known := Recall(m, "b"); known {
		t.Error("there is room for more than one")
	}
}

func TestMemoryIsSafeForConcurrentUse(t *testing.T) {
	m := NewMemory(50)
	var done sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		worker := worker
		done.Add(1)
		go func() {
			defer done.Done()
			for i := 0; i < 300; i++ {
				client := strconv.Itoa((i * (worker + 3)) % 80)
				m.Remember(client, Assignment{Variant: client})
				if a, known := Recall(m, client); known && a.Variant != client {
					t.Errorf("%s has the assignment of %s", client, a.Variant)
				}
				if i%100 == 0 {
					m.Resize(20 + i/10)
				}
			}
		}()
	}
	done.Wait()
	if m.Len() > 50 {
		t.Errorf("%d clients are remembered", m.Len())
	}
}

func BenchmarkRecall(b *testing.B) {
	m := NewMemory(1000)
	for i := 0; i < 1000; i++ {
		m.Remember(strconv.Itoa(i), canary())
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		Recall(m, "500")
		Recall(m, "501")
	}
}
