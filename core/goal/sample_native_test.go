package goal

import (
	"fmt"
	"sync"
	"testing"
)

// TestAFullSampleFitsIntoADocument: whoever fills the room, and reaches all goals there can be.
func TestAFullSampleFitsIntoADocument(t *testing.T) {
	p := period()
	p.Goals = nil
	for i := range MaxGoals {
		p.Goals = append(p.Goals, fmt.Sprint("goal", i))
	}
	s := NewSample(p)
	for i := range uint64(capacity) {
		s.See(i<<40, int(i%2), 0xFFFF)
	}
	content, _, err := s.Encode()
	if err != nil || len(content) > MaxDocument {
		t.Fatalf("%d bytes, %v", len(content), err)
	}
	read, err := Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(read.Count()), fmt.Sprint(s.Count()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestClientsComeWhileASampleIsWrittenAndMerged: what is written meanwhile holds whoever came before, and who comes later is
// a change to be written.
func TestClientsComeWhileASampleIsWrittenAndMerged(t *testing.T) {
	const each = 5_000
	s := small(12_000) // so that some are forgotten meanwhile
	other := small(12_000)
	for i := range each {
		other.See(Hash("s", fmt.Sprint("other", i)), i%2, 1)
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range each {
				s.See(Hash("s", fmt.Sprint(n, " ", i)), i%2, 0)
			}
		})
	}
	wg.Go(func() { s.Merge(other) })
	wg.Go(func() {
		for range 20 {
			content, _, err := s.Encode()
			if err != nil {
				t.Error(err)
			}
			if _, err := Decode(content); err != nil {
				t.Error(err)
			}
			s.Count()
		}
	})
	wg.Wait()
	content, _, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	written, err := Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	counts := s.Count()
	if got, want := fmt.Sprint(written.Count()), fmt.Sprint(counts); got != want {
		t.Errorf("written: %s, counted: %s", got, want)
	}
	if all := float64(seen(counts)) / counts.Sampled; all < 22_000 || all > 28_000 {
		t.Errorf("%v clients are told of 25000", all)
	}
	if counts.Mixed != 0 || counts.Sampled > 0.5 {
		t.Errorf("%+v", counts)
	}
}

func seen(c Counts) int64 { return c.Clients[0] + c.Clients[1] }
