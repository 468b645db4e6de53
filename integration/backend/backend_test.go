package backend

import (
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
)

func TestStopRefusesAndResumeServesOnTheSamePort(t *testing.T) {
	s := Start(t, "canary")
	get := func() error {
		resp, err := http.Get("http://" + s.Addr())
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if got := resp.Header.Get("X-Backend"); got != "canary" {
			t.Errorf("X-Backend is %q", got)
		}
		return nil
	}
	for range 3 {
		if err := get(); err != nil {
			t.Fatal(err)
		}
		s.Stop(t)
		if err := get(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("while stopped: %v, want a refused connection", err)
		}
		if l, err := net.Listen("tcp", s.Addr()); err == nil {
			l.Close()
			t.Fatal("somebody else could take the port while stopped")
		}
		s.Resume(t)
	}
	if got := s.Count("GET"); got != 3 {
		t.Errorf("%d requests counted, want 3", got)
	}
}

func TestBodyIsTheSameNoiseEachTime(t *testing.T) {
	first, n, err := Sum(Body(1000))
	if err != nil || n != 1000 {
		t.Fatal(n, err)
	}
	if second, _, _ := Sum(Body(1000)); second != first {
		t.Error("two bodies differ")
	}
	if shorter, _, _ := Sum(Body(999)); shorter == first {
		t.Error("a shorter body has the same sum")
	}
}
