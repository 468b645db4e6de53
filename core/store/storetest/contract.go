// Package storetest holds stores to what package store says of them.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/store"
)

// Contract tests a store. open returns another handle on the same store with every call: one that another process could
// have, if the store is one that processes share.
func Contract(t *testing.T, open func() store.Store) {
	t.Helper()
	documents(t, open(), open())
	conflicts(t, open(), open())
	refusals(t, open())
	races(t, open)
	watches(t, open(), open())
}

// long is how long anything here may take at most.
const long = time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), long)
	t.Cleanup(cancel)
	return ctx
}

// same reports whether two JSON texts say the same: a store may write it in other words.
func same(a, b []byte) bool {
	var left, right any
	if json.Unmarshal(a, &left) != nil || json.Unmarshal(b, &right) != nil {
		return false
	}
	one, err := json.Marshal(left)
	if err != nil {
		return false
	}
	other, err := json.Marshal(right)
	return err == nil && bytes.Equal(one, other)
}

func expect(t *testing.T, s store.Store, name, version, content string) {
	t.Helper()
	d, err := s.Load(within(t), name)
	if err != nil || d.Version != version || !same(d.Content, []byte(content)) {
		t.Errorf("%s is version %q with %s, error %v; want version %q with %s", name, d.Version, d.Content, err, version, content)
	}
}

func put(t *testing.T, s store.Store, name, version, content string) string {
	t.Helper()
	next, err := s.Swap(within(t), name, version, []byte(content))
	if err != nil || next == "" || next == version {
		t.Errorf("%s: version %q after %q, error %v", name, next, version, err)
	}
	return next
}

func documents(t *testing.T, one, other store.Store) {
	t.Helper()
	d, err := one.Load(within(t), "checkout")
	if err != nil || d.Version != "" || len(d.Content) > 0 {
		t.Errorf("what is not there is %q, %s, %v", d.Version, d.Content, err)
	}
	first := put(t, one, "checkout", "", `{"a": "<ä & 日>", "n": 1e-7}`)
	expect(t, one, "checkout", first, `{"a": "<ä & 日>", "n": 1e-7}`)
	expect(t, other, "checkout", first, `{"a": "<ä & 日>", "n": 1e-7}`)
	second := put(t, other, "checkout", first, `[]`)
	if second == first {
		t.Errorf("two contents are version %q", first)
	}
	expect(t, one, "checkout", second, `[]`)
	search := put(t, one, "search", "", `"another"`)
	expect(t, other, "checkout", second, `[]`)
	expect(t, other, "search", search, `"another"`)
}

func conflicts(t *testing.T, one, other store.Store) {
	t.Helper()
	first := put(t, one, "conflicts", "", `1`)
	second := put(t, other, "conflicts", first, `2`)
	for _, version := range []string{"", first, second + "0", "0"} {
		if next, err := one.Swap(within(t), "conflicts", version, []byte(`3`)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("version %q in the place of %q: %q, error %v", version, second, next, err)
		}
	}
	expect(t, one, "conflicts", second, `2`)
	back := put(t, one, "conflicts", second, `1`)
	if back == first {
		t.Errorf("what was %q before is %q again: whoever read it then could replace it", first, back)
	}
}

func refusals(t *testing.T, s store.Store) {
	t.Helper()
	large := bytes.Repeat([]byte("1"), store.MaxContent+1)
	for _, content := range [][]byte{nil, []byte(""), []byte("{"), []byte("1 2"), large} {
		if _, err := s.Swap(within(t), "refusals", "", content); !errors.Is(err, store.ErrDocument) {
			t.Errorf("%.10q of %d bytes: error %v", content, len(content), err)
		}
	}
	d, err := s.Load(within(t), "refusals")
	if err != nil || d.Version != "" {
		t.Errorf("what was refused is there: %q, %v", d.Version, err)
	}
}

// races lets several count in one document: each number must be there once.
func races(t *testing.T, open func() store.Store) {
	t.Helper()
	const counters, counts = 4, 10 // a disk may take a second for each
	var counting sync.WaitGroup
	faults := make(chan error, counters)
	for i := 0; i < counters; i++ {
		s := open()
		counting.Add(1)
		go func() {
			defer counting.Done()
			faults <- count(t, s, counts)
		}()
	}
	counting.Wait()
	for i := 0; i < counters; i++ {
		err := <-faults
		if err != nil {
			t.Errorf("counting together: %v", err)
		}
	}
	d, err := open().Load(within(t), "races")
	if err != nil || string(d.Content) != fmt.Sprint(counters*counts) {
		t.Errorf("%d counted %d each, and together %s, error %v", counters, counts, d.Content, err)
	}
}

func count(t *testing.T, s store.Store, counts int) error {
	t.Helper()
	for done := 0; done < counts; {
		ctx := within(t)
		d, err := s.Load(ctx, "races")
		if err != nil {
			return err
		}
		n := 0
		if d.Version != "" {
			if err := json.Unmarshal(d.Content, &n); err != nil {
				return err
			}
		}
		_, err = s.Swap(ctx, "races", d.Version, []byte(fmt.Sprint(n+1)))
		if err == nil {
			done++
		} else if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

func watches(t *testing.T, watched, changed store.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	seen := make(chan store.Document, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- watched.Watch(ctx, "watches", func(d store.Document) { seen <- d })
	}()
	first := <-seen
	if first.Version != "" {
		t.Errorf("first seen: version %q of what is not there", first.Version)
	}
	version := put(t, changed, "watches", "", `1`)
	put(t, changed, "elsewhere", "", `1`)
	sees(t, seen, version)
	version = put(t, changed, "watches", version, `2`)
	version = put(t, changed, "watches", version, `3`)
	sees(t, seen, version)
	late := make(chan store.Document, 100)
	lateEnded := make(chan error, 1)
	go func() {
		lateEnded <- watched.Watch(ctx, "watches", func(d store.Document) { late <- d })
	}()
	sees(t, late, version)
	cancel()
	end := <-ended
	lateEnd := <-lateEnded
	if !errors.Is(end, context.Canceled) || !errors.Is(lateEnd, context.Canceled) {
		t.Errorf("watching ended with %v and %v", end, lateEnd)
	}
}

// sees waits for a version, and for no other after it.
func sees(t *testing.T, seen chan store.Document, version string) {
	t.Helper()
	timeout := time.After(long)
	for {
		at, got := await.First(seen, timeout)
		if at == 1 {
			t.Errorf("version %q was not seen", version)
			return
		}
		if d := got.(store.Document); d.Version == version {
			return
		}
	}
}
