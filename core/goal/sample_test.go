package goal

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func period() Period {
	return Period{Division: "x", Begin: time.Unix(1e9, 0).UTC(), Variants: []string{"stable", "canary"}, Weights: []float64{50, 50}, Goals: []string{"paid", "read"}}
}

// small returns a sample with room for few clients.
func small(room int) *Sample {
	s := NewSample(period())
	s.room = room
	return s
}

func TestClientsAreCountedOnce(t *testing.T) {
	s := NewSample(period())
	for i := 0; i < 3; i++ {
		s.See(Hash("s", "alice"), 0, 0)
		s.See(Hash("s", "bob"), 1, 0b01)
		s.See(Hash("s", "bob"), 1, 0b10)
		s.See(Hash("s", "carol"), 0, 0b01)
	}
	s.See(Hash("s", "dave"), 0, 0b01)
	s.See(Hash("s", "dave"), 1, 0)
	s.See(Hash("s", "dave"), 0, 0)
	c := s.Count()
	got := fmt.Sprint(c.Clients, c.Reached, c.Mixed, c.Sampled)
	if want := "[2 1] [[1 1] [0 1]] 1 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMoreClientsThanThereIsRoomForAreSampled(t *testing.T) {
	const room, all = 2_000, 8_000
	s := small(room)
	for i := 0; i < all; i++ {
		reached := uint16(0)
		if i%10 == 0 {
			reached = 1
		}
		s.See(Hash("s", fmt.Sprint(i)), i%2, reached)
	}
	c := s.Count()
	if n := c.Clients[0] + c.Clients[1]; n > room || n < room/3 {
		t.Errorf("%d clients are kept", n)
	}
	r := Compare(c, 1)
	if math.Abs(float64(r.Clients)/all-1) > 0.05 {
		t.Errorf("%d clients are told of %d", r.Clients, all)
	}
	if rate := r.Goals[0].Variants[0].Rate; math.Abs(rate-0.2) > 0.05 {
		t.Errorf("the rate is %v, want 0.2", rate)
	}
}

func TestMergedSamplesAreThoseOfOneGateway(t *testing.T) {
	const room, all = 400, 600
	one := small(room)
	gateways := []*Sample{small(room), small(room), small(room)}
	for i := 0; i < all; i++ {
		hash := Hash("s", fmt.Sprint(i))
		for visit := 0; visit < 2; visit++ {
			reached := uint16(0)
			if (i+visit)%7 == 0 {
				reached = 1
			}
			one.See(hash, i%2, reached)
			gateways[(i+visit)%3].See(hash, i%2, reached)
		}
	}
	sum := small(room)
	for _, g := range gateways {
		sum.Merge(g)
	}
	got, want := sum.Count(), one.Count()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("merged: %v, one gateway: %v", got, want)
	}
}

func TestASampleSurvivesWriting(t *testing.T) {
	s := NewSample(period())
	for i := 0; i < 1000; i++ {
		s.See(Hash("s", fmt.Sprint(i)), i%2, uint16(i%4))
	}
	s.See(Hash("s", "1"), 0, 0)
	content, changed, err := s.Encode()
	if err != nil || !changed {
		t.Fatal(err, changed)
	}
	if _, again, _ := s.Encode(); again {
		t.Error("nothing has changed since")
	}
	read, err := Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(read.Count()), fmt.Sprint(s.Count()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	read.See(Hash("s", "1"), 1, 0)
	if _, changed, _ := read.Encode(); changed {
		t.Error("who is mixed stays so")
	}
}

func TestWhatIsNoSampleIsRefused(t *testing.T) {
	s := NewSample(period())
	s.See(Hash("s", "alice"), 0, 0)
	content, _, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		damaged := append([]byte(nil), content...)
		damaged[i] ^= 0x11
		_, _ = Decode(damaged) // must not panic
		_, _ = Decode(content[:i])
	}
	for _, text := range []string{"", "{}", `{"format":2}`, `{"format":1,"period":{"variants":["a"]},"limit":1}`,
		`{"format":1,"period":{"variants":["a","b"],"weights":[1,2]},"limit":1,"clients":"////////////////"}`} {
		if _, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q is taken for a sample", text)
		}
	}
}

func TestImpossibleCountsAreRefused(t *testing.T) {
	s := NewSample(period())
	s.See(Hash("s", "alice"), 0, 1)
	if !s.Count().Possible() {
		t.Fatal("what was counted is refused")
	}
	for name, damage := range map[string]func(*Counts){
		"a variant without a weight": func(c *Counts) { c.Period.Weights = c.Period.Weights[:1] },
		"one variant":                func(c *Counts) { c.Period.Variants = c.Period.Variants[:1]; c.Period.Weights = c.Period.Weights[:1] },
		"no clients":                 func(c *Counts) { c.Clients = nil },
		"fewer than none":            func(c *Counts) { c.Clients[1] = -1 },
		"more who reached it":        func(c *Counts) { c.Reached[0][0] = 2 },
		"a goal without counts":      func(c *Counts) { c.Reached = c.Reached[:1] },
		"counts of too few variants": func(c *Counts) { c.Reached[1] = c.Reached[1][:1] },
		"a sample of nobody":         func(c *Counts) { c.Sampled = 0 },
		"a sample of more than all":  func(c *Counts) { c.Sampled = 2 },
		"fewer mixed than none":      func(c *Counts) { c.Mixed = -1 },
	} {
		c := s.Count()
		c.Period = period()
		damage(&c)
		if c.Possible() {
			t.Errorf("%s: %+v is taken for possible", name, c)
		}
	}
}
