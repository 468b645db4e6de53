package integration

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// fleet is a pool of two versions in two zones. Upstream c has no zone.
func fleet() gateway.Rollout {
	return gateway.Rollout{
		Name:     "checkout",
		Variants: []gateway.Variant{{Name: "stable", Where: oldVersion}, {Name: "canary", Where: newVersion}},
		Upstreams: []gateway.Upstream{
			{Backend: "a", Weight: "3", Metadata: map[string]string{"version": "v1", "zone": "eu"}},
			{Backend: "b", Weight: "2", Metadata: map[string]string{"version": "v1", "zone": "us"}},
			{Backend: "c", Metadata: map[string]string{"version": "v1"}},
			{Backend: "x", Metadata: map[string]string{"version": "v2", "zone": "eu"}},
			{Backend: "y", Metadata: map[string]string{"version": "v2", "zone": "us"}},
		},
		Rules: []gateway.Rule{qa},
	}
}

// whole is a pool of which every variant has all, here the only one.
func whole() gateway.Rollout {
	r := fleet()
	r.Variants = []gateway.Variant{{Name: "all"}}
	r.Rules = nil
	return r
}

var oldVersion, newVersion = map[string]string{"version": "v1"}, map[string]string{"version": "v2"}

var byVersion = gateway.Subset{Key: "version", Value: `header("X-Version")`}

var byZone = gateway.Subset{Key: "zone", Value: `header("X-Zone")`}

func narrowed(r gateway.Rollout, subsets ...gateway.Subset) gateway.Rollout {
	r.Subsets = subsets
	return r
}

// tally sends the same request n times and counts who answered. Whatever is not answered with 200 counts as its status.
func tally(t *testing.T, g *gateway.Gateway, n int, header ...string) string {
	t.Helper()
	return tallyAt(t, g, n, "/", header...)
}

func tallyAt(t *testing.T, g *gateway.Gateway, n int, target string, header ...string) string {
	t.Helper()
	counts := make(map[string]int)
	for range n {
		a := g.Get(t, target, header...)
		if a.Status == http.StatusOK {
			counts[a.Backend()]++
		} else {
			counts[fmt.Sprint(a.Status)]++
		}
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// expectTally wants any of these.
func expectTally(t *testing.T, got string, want ...string) {
	t.Helper()
	if !slices.Contains(want, got) {
		t.Errorf("answered %s, want %s", got, want)
	}
}

var balanceScenarios = []scenario{
	{
		name: "a header chooses among upstreams, by their weights",
		site: site(narrowed(whole(), byVersion)),
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 60, "X-Version: v1"), "[a:30 b:20 c:10]")
			expectTally(t, tally(t, g, 60, "X-Version: v2"), "[x:30 y:30]")
			expectTally(t, tally(t, g, 80), "[a:30 b:20 c:10 x:10 y:10]")
		},
	},
	{
		name: "variants select their upstreams",
		site: site(fleet()),
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 60), "[a:30 b:20 c:10]")
			expectTally(t, tally(t, g, 20, "X-Version: v2"), "[x:10 y:10]")
			a := g.Get(t, "/", "X-Version: v2")
			expectDecision(t, "the canary", g, "checkout", a, "canary rule:qa")
			expectFields(t, "upstream", a.Echo.Header, []string{"X-Rollout-Variant: canary"})
		},
	},
	{
		name: "zones: upstreams nearby, and any if there are none",
		site: site(narrowed(fleet(), gateway.Subset{Key: "zone", Value: `header("X-Zone")`, Otherwise: "any"})),
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 10, "X-Zone: eu"), "[a:10]")
			expectTally(t, tally(t, g, 10, "X-Zone: us"), "[b:10]")
			expectTally(t, tally(t, g, 10, "X-Zone: us", "X-Version: v2"), "[y:10]")
			expectTally(t, tally(t, g, 60, "X-Zone: asia"), "[a:30 b:20 c:10]")
			expectTally(t, tally(t, g, 20, "X-Zone: asia", "X-Version: v2"), "[x:10 y:10]")
			expectTally(t, tally(t, g, 60), "[a:30 b:20 c:10]") // c, which has no zone, serves who asks for none
			expectTally(t, tally(t, g, 60, "X-Zone:"), "[a:30 b:20 c:10]")
		},
	},
	{
		name: "nobody has what a request asks for",
		site: func() gateway.Site {
			var s gateway.Site
			for _, otherwise := range []string{"", "baseline", "any", "none"} {
				r := narrowed(fleet(), gateway.Subset{Key: "zone", Value: `header("X-Zone")`, Otherwise: otherwise})
				r.Name, r.Path = "else-"+otherwise, "/"+otherwise+"/*"
				if otherwise == "" {
					r.Name, r.Path = "unsaid", "/unsaid/*"
				}
				s.Rollouts = append(s.Rollouts, r)
			}
			return s
		}(),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := []string{"X-Zone: asia", "X-Version: v2"}
			expectTally(t, tallyAt(t, g, 60, "/unsaid/x", canary...), "[a:30 b:20 c:10]")
			expectTally(t, tallyAt(t, g, 60, "/baseline/x", canary...), "[a:30 b:20 c:10]")
			expectTally(t, tallyAt(t, g, 20, "/any/x", canary...), "[x:10 y:10]")
			expectTally(t, tallyAt(t, g, 5, "/none/x", canary...), "[503:5]")
			for _, path := range []string{"unsaid", "baseline", "any"} { // the baseline itself
				expectTally(t, tallyAt(t, g, 60, "/"+path+"/x", "X-Zone: asia"), "[a:30 b:20 c:10]")
			}
			expectTally(t, tallyAt(t, g, 5, "/none/x", "X-Zone: asia"), "[503:5]")

			exchange{Request: at("/baseline/x", canary...)}.serves(t, g, "else-baseline", "stable fallback")
			exchange{Request: at("/any/x", canary...)}.serves(t, g, "else-any", "canary rule:qa")
			exchange{Request: at("/none/x", canary...)}.serves(t, g, "else-none", "canary rule:qa")
		},
	},
	{
		name: "several subsets narrow in turn",
		site: site(narrowed(whole(), byVersion, byZone)),
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 10, "X-Version: v2", "X-Zone: us"), "[y:10]")
			expectTally(t, tally(t, g, 20, "X-Zone: us"), "[b:13 y:7]", "[b:14 y:6]")
			expectTally(t, tally(t, g, 10, "X-Version: v1", "X-Zone: eu"), "[a:10]")
			expectTally(t, tally(t, g, 60, "X-Version: v1", "X-Zone: asia"), "[a:30 b:20 c:10]")
		},
	},
	{
		name: "a header that is there twice",
		site: site(narrowed(whole(), byVersion)),
		run: func(t *testing.T, g *gateway.Gateway) {
			expectTally(t, tally(t, g, 20, "X-Version: v2", "X-Version: v1"), "[x:10 y:10]") // the first field counts
			expectTally(t, tally(t, g, 60, "X-Version: v1", "X-Version: v2"), "[a:30 b:20 c:10]")
			expectTally(t, tally(t, g, 80, "X-Version: v2, v1"), "[a:30 b:20 c:10 x:10 y:10]") // nobody's version
			expectTally(t, tally(t, g, 80, "X-Version: V2"), "[a:30 b:20 c:10 x:10 y:10]")
		},
	},
	{
		name: "weight 0 drains",
		site: site(fleet()),
		run: func(t *testing.T, g *gateway.Gateway) {
			r := fleet()
			r.Upstreams[0].Weight = "0"
			g.Reload(t, site(r))
			expectTally(t, tally(t, g, 30), "[b:20 c:10]")
			r = fleet()
			r.Upstreams[3].Weight, r.Upstreams[4].Weight = "0", "0"
			g.Reload(t, site(r)) // a variant that is drained gives its requests to the baseline
			expectTally(t, tally(t, g, 60, "X-Version: v2"), "[a:30 b:20 c:10]")
			expectDecision(t, "drained", g, "checkout", g.Get(t, "/", "X-Version: v2"), "stable fallback")
		},
	},
	{
		name: "a pool whose canary is down",
		site: site(func() gateway.Rollout {
			r := fleet()
			r.Retries = 3
			r.Announce.Response = "X-Variant"
			return r
		}()),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("x").Stop(t)
			expectTally(t, tally(t, g, 30, "X-Version: v2"), "[y:30]")
			g.Backend("y").Stop(t)
			for range 100 {
				a := g.Get(t, "/", "X-Version: v2")
				if a.Status != http.StatusOK || !slices.Contains([]string{"a", "b", "c"}, a.Backend()) {
					t.Fatalf("status %d from %q", a.Status, a.Backend())
				}
				expectFields(t, "client", a.Header, []string{"X-Variant: stable"})
				expectFields(t, "upstream", a.Echo.Header, []string{"X-Rollout-Variant: stable"})
			}
			expectDecision(t, "the canary down", g, "checkout", g.Get(t, "/", "X-Version: v2"), "stable fallback")
			g.Backend("y").Resume(t)
			gateway.Eventually(t, "the canary serves again", func() bool {
				return g.Get(t, "/", "X-Version: v2").Backend() == "y"
			})
		},
	},
	{
		name: "a member of the baseline down is its peers' work",
		site: site(func() gateway.Rollout {
			r := fleet()
			r.Retries = 3
			return r
		}()),
		run: func(t *testing.T, g *gateway.Gateway) {
			g.Backend("a").Stop(t)
			for range 60 {
				a := g.Get(t, "/")
				if a.Status != http.StatusOK {
					t.Fatalf("status %d", a.Status)
				}
				expectDecision(t, "a down", g, "checkout", a, "stable split")
			}
			if got := g.Backend("x").Count("") + g.Backend("y").Count(""); got != 0 {
				t.Errorf("%d requests reached the canary", got)
			}
		},
	},
	{
		name: "an upstream that flaps ten times a second",
		site: site(func() gateway.Rollout {
			r := whole()
			r.Retries = 4
			return r
		}()),
		run: func(t *testing.T, g *gateway.Gateway) {
			load := startLoad(t, g, 0)
			rounds := 0
			gateway.Eventually(t, "it flapped for long, under load", func() bool {
				rounds++
				g.Backend("a").Stop(t)
				time.Sleep(50 * time.Millisecond) // the pace of the flapping, not a wait for something
				g.Backend("a").Resume(t)
				time.Sleep(30 * time.Millisecond)
				return rounds >= 30 && load.answered.Load() >= 300 || load.failed.Load() > 0
			})
			load.end(t, 300)
		},
	},
	{
		name: "upstreams come and go by reloads under load",
		site: site(whole()),
		run: func(t *testing.T, g *gateway.Gateway) {
			load := startLoad(t, g, 2)
			for i := range 20 {
				r := whole()
				r.Upstreams = append(r.Upstreams[:i%5:i%5], r.Upstreams[i%5+1:]...)
				r.Upstreams[i%4].Weight = "7"
				before := load.answered.Load()
				if err := g.Load(site(r)); err != nil {
					t.Errorf("reload %d: %v", i, err)
				}
				gateway.Eventually(t, "requests are answered", func() bool { return load.answered.Load() > before+30 || load.failed.Load() > 0 })
			}
			load.end(t, 600)
		},
	},
	{
		name: "pools that are reloaded leave nothing behind",
		site: weighed(site(whole())),
		run: func(t *testing.T, g *gateway.Gateway) {
			const reloads = 40
			tally(t, g, 8)
			before := g.Goroutines(t)
			for i := range reloads {
				r := whole()
				r.Upstreams[i%5].Weight = "9"
				r.Retries = 1 + i%2
				g.Reload(t, site(r))
				tally(t, g, 8)
			}
			// Gateways keep idle connections to backends for a while, whatever handler made them.
			for _, u := range whole().Upstreams {
				g.Backend(u.Backend).Stop(t)
			}
			gateway.Eventually(t, "the old pools' goroutines have ended", func() bool { return g.Goroutines(t) < before+reloads/2 })
		},
	},
}

// serves holds the decision on a request to want, whoever answers.
func (e exchange) serves(t *testing.T, g *gateway.Gateway, rollout, want string) {
	t.Helper()
	expectDecision(t, e.describe(), g, rollout, g.Do(t, e.Request), want)
}

// load is clients that send GETs one after the other, all over kept connections.
type load struct {
	stop             chan struct{}
	clients          sync.WaitGroup
	answered, failed atomic.Int64
}

// startLoad starts clients that send a request again, so many times, whose connection was closed before a byte of the
// answer: see anyRequest.
func startLoad(t *testing.T, g *gateway.Gateway, repeats int) *load {
	l := &load{stop: make(chan struct{})}
	for range 6 {
		l.clients.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				_, err := visit(g.Client(), g.URL("/"), "")
				for n := 0; n < repeats && closed(err); n++ {
					_, err = visit(g.Client(), g.URL("/"), "")
				}
				if err == nil {
					l.answered.Add(1)
				} else if l.failed.Add(1) < 10 {
					t.Errorf("a request failed: %v", err)
				}
			}
		})
	}
	return l
}

func closed(err error) bool {
	var unanswered *url.Error
	return errors.As(err, &unanswered)
}

// end requires that many answers, and no failure.
func (l *load) end(t *testing.T, least int64) {
	t.Helper()
	close(l.stop)
	l.clients.Wait()
	t.Logf("%d requests answered, %d failed", l.answered.Load(), l.failed.Load())
	if l.failed.Load() > 0 || l.answered.Load() < least {
		t.Errorf("%d requests failed, %d were answered, want none and at least %d", l.failed.Load(), l.answered.Load(), least)
	}
}

// inPools returns twins of scenarios in which all variants share one pool: what is true of a variant with an address is
// true of one that selects it.
func inPools(lists ...[]scenario) []scenario {
	var twins []scenario
	for _, s := range slices.Concat(lists...) {
		rollouts := slices.Clone(s.site.Rollouts)
		for i := range rollouts {
			r := &rollouts[i]
			r.Variants = slices.Clone(r.Variants)
			for v := range r.Variants {
				metadata := map[string]string{"variant": r.Variants[v].Name}
				r.Variants[v].Where = metadata
				r.Upstreams = append(r.Upstreams, gateway.Upstream{Backend: r.Variants[v].Name, Metadata: metadata})
			}
		}
		if s.site.Verbatim == "" {
			s.name += ", in a pool"
			s.site.Rollouts = rollouts
			twins = append(twins, s)
		}
	}
	return twins
}
