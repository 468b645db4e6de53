//go:build !race

package core

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// population is clients who keep cookies and say who they are, each with the variant that he was on last.
type population struct {
	requests []*http.Request
	on       []string
	moves    []int
}

func newPopulation(n int) *population {
	p := &population{requests: make([]*http.Request, n), on: make([]string, n), moves: make([]int, n)}
	for i := range p.requests {
		p.requests[i] = get("X-User: " + strconv.Itoa(i))
	}
	return p
}

// visit sends a request of every client and returns how many are on the canary, and how many came and left.
func (p *population) visit(e *Engine, now time.Time) (on, came, left int) {
	for i, r := range p.requests {
		d := e.Decide(r, "", now)
		if d.Cookie != "" {
			pair, _, _ := strings.Cut(d.Cookie, ";")
			r.Header["Cookie"] = []string{pair}
		}
		if d.Variant == "canary" {
			on++
		}
		if p.on[i] != "" && p.on[i] != d.Variant {
			p.moves[i]++
			if d.Variant == "canary" {
				came++
			} else {
				left++
			}
		}
		p.on[i] = d.Variant
	}
	return on, came, left
}

// within reports whether a count is within five standard deviations of a share of n.
func within(count, n int, share float64) bool {
	return math.Abs(float64(count)-float64(n)*share) <= 5*math.Sqrt(float64(n)*share*(1-share))
}

// TestClientsDoNotFlip: 100,000 clients over changes of the weight, up and down. While their assignments last, nobody
// moves; when they have ended, clients move in the direction of the change only, as many as it is large; and in a
// canary that only grows or only shrinks nobody moves twice.
func TestClientsDoNotFlip(t *testing.T) {
	for _, mode := range []struct {
		name    string
		clients int
		key     []string
		sticky  Sticky
	}{
		{"a cookie and a key", clients, []string{`header("X-User")`}, Sticky{Mode: "cookie", Secret: []string{testSecret}}},
		{"a cookie that is the key", 20_000, nil, Sticky{Mode: "cookie", Secret: []string{testSecret}}},
		{"memory", 20_000, nil, Sticky{Mode: "memory", Client: []string{`header("X-User")`}, Capacity: clients}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			clients := mode.clients
			mode.sticky.TTL = "5m"
			e := inForce(t, Config{
				Name: "shop", Variants: []Variant{{Name: "stable"}, {Name: "canary"}}, Key: mode.key, Sticky: mode.sticky,
			}, nil, Host{})
			p := newPopulation(clients)
			now := noon
			if on, _, _ := p.visit(e, now); on != 0 {
				t.Fatalf("at 0%% %d are on the canary", on)
			}
			last := 0.0
			for _, share := range []float64{0.01, 0.1, 0.5, 1, 0.3, 0} {
				if err := weigh(e, "canary", fmt.Sprint(share*100)); err != nil {
					t.Fatal(err)
				}
				before, came, left := p.visit(e, now.Add(time.Second))
				if came+left > 0 {
					t.Fatalf("to %v: %d clients move before their time", share, came+left)
				}
				now = now.Add(5 * time.Minute)
				on, came, left := p.visit(e, now)
				grows := share > last
				if grows && left > 0 || !grows && came > 0 {
					t.Errorf("from %v to %v: %d came and %d left", last, share, came, left)
				}
				if moved := came + left; !within(moved, clients, math.Abs(share-last)) || on != before+came-left {
					t.Errorf("from %v to %v: %d moved", last, share, moved)
				}
				if !within(on, clients, share) {
					t.Errorf("at %v %d of %d are on the canary", share, on, clients)
				}
				last = share
				if share == 1 {
					for i, moves := range p.moves {
						if moves > 1 {
							t.Fatalf("client %d moved %d times while the canary grew", i, moves)
						}
					}
				}
			}
			for i, moves := range p.moves {
				if moves != 2 {
					t.Fatalf("client %d moved %d times, there and back", i, moves)
				}
			}
		})
	}
}

// TestBothSidesArePinned: where only one side is, that side takes everybody in the end. Clients without a key come back
// after their time again and again, and the shares stay.
func TestBothSidesArePinned(t *testing.T) {
	const few = 10_000
	e := compile(t, Config{
		Name: "shop", Variants: []Variant{{Name: "stable"}, {Name: "canary", Weight: "10%"}},
		Sticky: Sticky{Mode: "cookie", Secret: []string{testSecret}, TTL: "rollout", BaselineTTL: "1m"},
	}, nil, Host{})
	p := newPopulation(few)
	first, _, _ := p.visit(e, noon)
	if !within(first, few, 0.1) {
		t.Errorf("%d of %d are on the canary", first, few)
	}
	for round := range 20 {
		if on, came, left := p.visit(e, noon.Add(time.Duration(round+1)*time.Minute)); came+left > 0 {
			t.Fatalf("round %d: %d came and %d left; %d are on the canary", round, came, left, on)
		}
	}
}

// TestNewClientsGetTheWeights: clients without cookies are drawn by the weights, whatever becomes of those before them.
func TestNewClientsGetTheWeights(t *testing.T) {
	e := inForce(t, Config{
		Name: "shop", Variants: []Variant{{Name: "stable"}, {Name: "canary"}, {Name: "blue", Weight: "20%"}},
		Sticky: Sticky{Mode: "cookie", Secret: []string{testSecret}},
	}, nil, Host{})
	for _, share := range []float64{0.01, 0.3, 0.8, 0} {
		if err := weigh(e, "canary", fmt.Sprint(share*100)); err != nil {
			t.Fatal(err)
		}
		p := newPopulation(20_000)
		on, _, _ := p.visit(e, noon)
		blue := 0
		for _, variant := range p.on {
			if variant == "blue" {
				blue++
			}
		}
		if !within(on, 20_000, share) || !within(blue, 20_000, 0.2) {
			t.Errorf("at %v: %d on the canary, %d on blue", share, on, blue)
		}
	}
}
