//go:build !race

package core

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// TestMemoryIsBounded: a million clients with cookies of all lengths leave no more behind than there is room for.
func TestMemoryIsBounded(t *testing.T) {
	const seed, clients = 43, 1_000_000
	random := rand.New(rand.NewSource(seed))
	e := compile(t, checkout(), nil, Host{Remember: true})
	r := get()
	filler := strings.Repeat("x", 2*maxBasis)
	most := 0
	for i := range clients {
		cookie := fmt.Sprintf("uid=%d; filler=", i)
		if i%100 == 0 {
			cookie += filler[:random.Intn(len(filler))]
		}
		r.Header["Cookie"] = []string{cookie}
		recalled(e, r, "", noon)
		if i%50_000 == 0 || i == clients-1 {
			size := 0
			e.memory.places.Range(func(basis, _ any) bool {
				if len(basis.(string)) > maxBasis {
					t.Fatalf("a basis of %d bytes is remembered", len(basis.(string)))
				}
				size += len(basis.(string)) + entrySize
				return true
			})
			if size > maxMemory {
				t.Fatalf("after %d clients %d bytes are remembered, %d are the most", i, size, maxMemory)
			}
			most = max(most, size)
		}
	}
	if most < maxMemory/2 {
		t.Errorf("at most %d bytes are remembered: the room for %d is not used", most, maxMemory)
	}
}
