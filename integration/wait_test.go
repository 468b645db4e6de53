package integration

import (
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// receive waits for a value.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(gateway.Patience):
		t.Fatalf("waited %v for %s", gateway.Patience, what)
		panic("unreachable")
	}
}

// deliver waits until somebody takes a value.
func deliver[T any](t *testing.T, to chan<- T, v T, what string) {
	t.Helper()
	select {
	case to <- v:
	case <-time.After(gateway.Patience):
		t.Fatalf("waited %v for %s", gateway.Patience, what)
	}
}
