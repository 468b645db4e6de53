package replay

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// source is a body that knows whether it was closed.
type source struct {
	content *strings.Reader
	closed  bool
}

func (s *source) Read(p []byte) (int, error) { return s.content.Read(p) }
func (s *source) Close() error {
	s.closed = true
	return nil
}

func open(content string) (*Body, *source) {
	s := &source{content: strings.NewReader(content)}
	return NewBody(s), s
}

func read(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	p := make([]byte, n)
	got, err := io.ReadFull(r, p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return string(p[:got])
}

func TestWholeBodyTwice(t *testing.T) {
	for _, taken := range []int{0, 1, 5, 11, 20} {
		body, s := open("hello world")
		if got, want := read(t, body, taken), "hello world"; !strings.HasPrefix(want, got) {
			t.Fatalf("read %q", got)
		}
		if err := body.Close(); err != nil || s.closed {
			t.Fatalf("closing the first attempt: %v, source closed %v", err, s.closed)
		}
		again := body.Again()
		if again == nil {
			t.Fatalf("after %d bytes there is no second attempt", taken)
		}
		if got := read(t, again, 100); got != "hello world" {
			t.Errorf("after %d bytes the second attempt reads %q", taken, got)
		}
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, ErrRetired) {
			t.Errorf("the first attempt reads on: %v", err)
		}
		if err := again.Close(); err != nil || !s.closed {
			t.Errorf("closing the second attempt: %v, source closed %v", err, s.closed)
		}
		if body.Again() != nil {
			t.Error("a third attempt from the first body")
		}
	}
}

func TestNoSecondAttemptWhileSomebodyMayRead(t *testing.T) {
	body, _ := open("hello world")
	read(t, body, 3)
	if body.Again() != nil {
		t.Error("the reader has not closed the body")
	}
	if got := read(t, body, 100); got != "lo world" {
		t.Errorf("asking changed the body: %q", got)
	}
}

func TestLimit(t *testing.T) {
	for size, again := range map[int]bool{Limit: true, Limit + 1: false} {
		body, _ := open(strings.Repeat("x", size))
		if got := read(t, body, size); len(got) != size {
			t.Fatalf("read %d of %d bytes", len(got), size)
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
		second := body.Again()
		if (second != nil) != again {
			t.Errorf("%d bytes can be sent again: %v, want %v", size, second != nil, again)
			continue
		}
		if again {
			if got := read(t, second, size+1); len(got) != size {
				t.Errorf("the second attempt reads %d of %d bytes", len(got), size)
			}
		}
	}
}

// blocked is a body whose reader waits until it is released.
type blocked struct {
	entered, release chan struct{}
}

func (b *blocked) Read(p []byte) (int, error) {
	b.entered <- struct{}{}
	<-b.release
	return copy(p, "a"), io.EOF
}
func (b *blocked) Close() error { return nil }

// TestReadInProgress: a reader that hangs in the source keeps the body to itself, even when it was told to stop.
func TestReadInProgress(t *testing.T) {
	b := &blocked{entered: make(chan struct{}), release: make(chan struct{})}
	body := NewBody(b)
	done := make(chan struct{})
	go func() {
		_, _ = body.Read(make([]byte, 10))
		close(done)
	}()
	<-b.entered
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if body.Again() != nil {
		t.Error("the body can be sent again while it is being read")
	}
	close(b.release)
	<-done
	if again := body.Again(); again == nil || read(t, again, 1) != "a" {
		t.Error("after the reader is done the body cannot be sent again")
	}
}
