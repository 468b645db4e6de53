package integration

import (
	"testing"
	"time"
)

// patience is longer than any healthy machine needs.
const patience = 30 * time.Second

// receive waits for a value.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// deliver waits until somebody takes a value.
func deliver[T any](t *testing.T, to chan<- T, v T, what string) {
	t.Helper()
	select {
	case to <- v:
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
	}
}
