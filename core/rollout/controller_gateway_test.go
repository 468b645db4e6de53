package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// distant is a store in memory that somebody can cut off, and where something can happen meanwhile.
type distant struct {
	*store.Memory
	mu     sync.Mutex
	away   bool   // guarded by mu
	loaded func() // happens once, when a document was loaded; nil: nothing
	swaps  func() // happens once, when one is to be swapped; nil: nothing

	refused func() // happens whenever one is to be loaded that is cut off; nil: nothing
}

func once(f *func()) {
	if happens := *f; happens != nil {
		*f = nil
		happens()
	}
}

var errCut = errors.New("the cable is cut")

func (d *distant) cut(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

func (d *distant) fault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return errCut
	}
	return nil
}

func (d *distant) Load(ctx context.Context, name string) (store.Document, error) {
	if err := d.fault(); err != nil {
		if d.refused != nil {
			d.refused()
		}
		return store.Document{}, err
	}
	document, err := d.Memory.Load(ctx, name)
	once(&d.loaded)
	return document, err
}

func (d *distant) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if err := d.fault(); err != nil {
		return "", err
	}
	once(&d.swaps)
	return d.Memory.Swap(ctx, name, version, content)
}

// gateway is a controller, its clock, and what it told.
type gateway struct {
	t *testing.T
	c *Controller

	mu     sync.Mutex
	now    Time
	events []Event // guarded by mu
	faults []string
	seen   int64
}

func serve(t *testing.T, s store.Store, settings Settings) *gateway {
	g := &gateway{t: t, now: Time{Wall: monday, Mono: time.Minute}}
	settings.Name = "checkout"
	settings.Store = s
	settings.Listen = func(events []Event) {
		g.c.View()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.events = append(g.events, events...)
	}
	settings.Fault = func(fault error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.faults = append(g.faults, fmt.Sprint(fault))
	}
	g.c = NewController(settings)
	return g
}

func (g *gateway) configure(release Release) *gateway {
	g.c.Configure(context.Background(), g.now, release)
	return g
}

// wait lets time go by, and evaluates a thousand requests then.
func (g *gateway) wait(d time.Duration, v Verdict) {
	g.now.Wall = g.now.Wall.Add(d)
	g.now.Mono += d
	g.seen += 1000
	seen := Observations{}
	if v != "" {
		seen.Evaluation = &Evaluation{Position: g.c.View().Position, Verdict: v, Requests: g.seen, Reason: "seen"}
	}
	g.c.Tick(context.Background(), g.now, seen)
}

func (g *gateway) expect(what string, state State, step int, weight string, kinds ...Kind) {
	g.t.Helper()
	v := g.c.View()
	if v.State != state || v.Record.Step != step || v.Weights[1].String() != weight {
		g.t.Errorf("%s: %s, step %d, %s; want %s, step %d, %s", what, string(v.State), v.Record.Step, v.Weights[1].String(), string(state), step, weight)
	}
	got := ""
	for _, e := range g.events {
		got += " " + string(e.Kind)
	}
	want := ""
	for _, kind := range kinds {
		want += " " + string(kind)
	}
	if got != want {
		g.t.Errorf("%s: told%s, want%s", what, got, want)
	}
	g.events = nil
}

// stored returns the record that the store has.
func stored(t *testing.T, s store.Store) Record {
	t.Helper()
	d, err := s.Load(context.Background(), "checkout")
	if err != nil {
		t.Fatal(err)
	}
	record, err := Decode(d.Content)
	if err != nil {
		t.Fatal(err)
	}
	return record
}
