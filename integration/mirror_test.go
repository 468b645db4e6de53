package integration

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestMirrors lets mirrors send copies on every host.
func TestMirrors(t *testing.T) {
	atOnce(t, hosts, gateway.Host.Name, func(t *testing.T, host gateway.Host) {
		embark(t, host, gateway.Site{Control: true, TLS: true}, after((*pilot).awaitMirrors, slices.Concat(copyJourneys, boundJourneys, intactJourneys, compareJourneys, darkJourneys)))
	})
}

// awaitMirrors waits until the mirrors send: before, nothing is copied.
func (p *pilot) awaitMirrors(t *testing.T) {
	t.Helper()
	gateway.Eventually(t, "the mirrors of "+p.rollout.Name+" send", func() bool {
		status, _, err := p.g.Control(http.MethodGet, "/"+p.rollout.Name+"/mirror", "")
		return err == nil && status == http.StatusOK
	})
}

// mirrored is a rollout under /name/ of which the canary serves nobody, and gets copies. They may take long where nothing
// else is said: on a busy machine they do.
func mirrored(name string, mirrors ...gateway.Mirror) gateway.Rollout {
	for i := range mirrors {
		mirrors[i].Timeout = cmp.Or(mirrors[i].Timeout, "1m")
	}
	return gateway.Rollout{
		Name: name, Path: "/" + name + "/*",
		Variants: []gateway.Variant{{Name: "stable", Backend: name + "-stable"}, {Name: "canary", Backend: name + "-canary"}},
		Key:      []string{`header("X-User")`},
		Rules:    []gateway.Rule{{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}},
		Mirrors:  mirrors,
	}
}

// outside is the backend of a target that is no variant.
func outside(name string) string { return name + "-shadow" }

var copyJourneys = []journey{
	{
		name:    "a share of the clients, the same on every gateway",
		rollout: mirrored("share", gateway.Mirror{To: "canary", Percent: "25%"}),
		run: func(t *testing.T, p *pilot) {
			const salt = "share/mirror/canary"
			p.backend("canary").Keep()
			in, out := users(salt, 0, slots/4, 100), users(salt, slots/4, slots, 100)
			for _, user := range slices.Concat(in, out, in) {
				if got := p.get(t, user); got != "stable" {
					t.Fatalf("%s is on %s", user, got)
				}
			}
			p.counted(t, "canary", "answered", 200)
			copies := map[string]int{}
			for _, e := range p.backend("canary").Kept() {
				copies[e.Header.Get("X-User")]++
			}
			for _, user := range in {
				if copies[user] != 2 {
					t.Errorf("%s (slot %d) was copied %d times, want 2", user, slot(salt, user), copies[user])
				}
			}
			if len(copies) != len(in) {
				t.Errorf("%d clients were copied, want %d", len(copies), len(in))
			}
		},
	},
	{
		name: "copies say what they are, and to whom they may tell what",
		rollout: mirrored("marks",
			gateway.Mirror{To: "canary", Drop: []string{"x_internal"}},
			gateway.Mirror{Backend: outside("marks"), Drop: []string{"X-Internal"}}),
		run: func(t *testing.T, p *pilot) {
			shadow := p.g.Backend(outside("marks"))
			p.backend("canary").Keep()
			shadow.Keep()
			a := p.g.Get(t, "/marks/items?page=2;a=%2F", "Authorization: Bearer secret", "Cookie: uid=7", "X-Request-Id: r-42", "X-Internal: 1",
				"Connection: X-Hop", "X-Hop: 1", "X-Rollout-Variant: forged", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			if a.Backend() != "marks-stable" || a.Echo.Header.Get("X-Rollout-Mirror") != "" {
				t.Errorf("%s answered, and got %v", a.Backend(), a.Echo.Header)
			}
			toVariant, toURL := p.arrived(t, p.backend("canary"), 1)[0], p.arrived(t, shadow, 1)[0]
			both := []string{"X-Rollout-Mirror: marks", "X-Request-Id: r-42", "X-Internal:", "X-Hop:", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
			expectFields(t, "copy to the variant", toVariant.Header, append(both, "Authorization: Bearer secret", "Cookie: uid=7", "X-Rollout-Variant: canary"))
			expectFields(t, "copy to a URL", toURL.Header, append(both, "Authorization:", "Cookie:", "X-Rollout-Variant:"))
			for what, e := range map[string]backend.Echo{"copy to the variant": toVariant, "copy to a URL": toURL} {
				if e.Method != "GET" || e.Path != "/marks/items" || e.Query != a.Echo.Query || e.Query == "" {
					t.Errorf("%s: %s %s?%s, the original %s?%s", what, e.Method, e.Path, e.Query, a.Echo.Path, a.Echo.Query)
				}
			}
			if toVariant.Host != "shop.example" || toURL.Host != shadow.Addr() {
				t.Errorf("the hosts are %s and %s", toVariant.Host, toURL.Host)
			}
		},
	},
	{
		name:    "what says that it is a copy is not copied, and does not say so any more",
		rollout: mirrored("forged", gateway.Mirror{To: "canary"}),
		run: func(t *testing.T, p *pilot) {
			for _, name := range []string{"X-Rollout-Mirror", "x-rollout-mirror"} {
				a := p.g.Get(t, p.path(), name+": forged")
				expectFields(t, name, a.Echo.Header, []string{"X-Rollout-Mirror:"})
			}
			if r := p.counted(t, "canary", "loop", 2); r.Counts["sent"] != 0 {
				t.Errorf("copied: %v", r.Counts)
			}
		},
	},
	{
		name: "methods, and the bodies that come with them",
		rollout: mirrored("methods",
			gateway.Mirror{To: "canary"}, gateway.Mirror{Backend: outside("methods"), Methods: []string{"POST", "PUT"}}),
		run: func(t *testing.T, p *pilot) {
			shadow := p.g.Backend(outside("methods"))
			p.backend("canary").Keep()
			shadow.Keep()
			var want []string
			for _, length := range []int64{0, 1, 10_000, 64 << 10} {
				body, err := io.ReadAll(backend.Body(length))
				if err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(body)
				for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
					for _, chunked := range []bool{false, true} {
						req := p.request(t, method, body)
						if chunked {
							req.ContentLength = -1
						}
						if echo, _ := ask(t, p.g.Client(), req); echo.Length != length || echo.Variant != "methods-stable" {
							t.Errorf("%s of %d bytes: %s got %d", method, length, echo.Variant, echo.Length)
						}
						if method == "POST" || method == "PUT" {
							want = append(want, fmt.Sprint(method, length, hex.EncodeToString(sum[:])))
						}
					}
				}
			}
			var got []string
			for _, e := range p.arrived(t, shadow, len(want)) {
				got = append(got, fmt.Sprint(e.Method, e.Length, e.SHA256))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("copied: %q\nwant: %q", got, want)
			}
			for _, e := range p.arrived(t, p.backend("canary"), 8) { // of its GETs
				if e.Method != "GET" {
					t.Errorf("a %s was copied", e.Method)
				}
			}
		},
	},
	{
		name:    "a condition",
		rollout: mirrored("when", gateway.Mirror{To: "canary", When: `header("X-Copy") == "1" && path().hasPrefix("/when/a")`}),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Keep()
			p.g.Get(t, "/when/a", "X-Copy: 1")
			p.g.Get(t, "/when/a", "X-Copy: 2")
			p.g.Get(t, "/when/b", "X-Copy: 1")
			p.g.Get(t, "/when/ab", "X-Copy: 1")
			for _, e := range p.arrived(t, p.backend("canary"), 2) {
				if !strings.HasPrefix(e.Path, "/when/a") || e.Header.Get("X-Copy") != "1" {
					t.Errorf("copied: %s, %s", e.Path, e.Header.Get("X-Copy"))
				}
			}
		},
	},
	{
		name:    "what the target gets anyway is not copied to it",
		rollout: mirrored("ruled", gateway.Mirror{To: "canary"}, gateway.Mirror{Backend: outside("ruled")}),
		run: func(t *testing.T, p *pilot) {
			p.g.Backend(outside("ruled")).Keep()
			if got := p.get(t, "", "X-Version: v2"); got != "canary" {
				t.Errorf("%s answered", got)
			}
			p.arrived(t, p.g.Backend(outside("ruled")), 1)
			if n := p.backend("canary").Count(""); n != 1 {
				t.Errorf("the canary got %d requests, want its own", n)
			}
		},
	},
}

// loopScenario lets two gateways mirror to each other.
var loopScenario = scenario{
	name: "a loop of mirrors is cut",
	site: counted(mirrored("loop")),
	run: func(t *testing.T, g *gateway.Gateway) {
		host := hosts[slices.IndexFunc(hosts, func(h gateway.Host) bool { return h.Name() == g.Host })]
		toward := func(other *gateway.Gateway) gateway.Site {
			return counted(mirrored("loop", gateway.Mirror{URL: other.URL("")}))
		}
		second := gateway.Start(t, host, toward(g))
		g.Reload(t, toward(second))
		p, q := &pilot{g: g, rollout: g.Site.Rollouts[0]}, &pilot{g: second, rollout: g.Site.Rollouts[0]}
		p.awaitMirrors(t)
		q.awaitMirrors(t)
		const n = 20
		for range n {
			expectStatus(t, "GET", g.Get(t, "/loop/"), http.StatusOK, "loop-stable")
		}
		q.counted(t, "", "loop", n)
		if a, b := p.backend("stable").Count(""), q.backend("stable").Count(""); a != n || b != n {
			t.Errorf("%d requests became %d at the first gateway and %d at the second", n, a, b)
		}
	},
}

// request is one for the rollout, with a body.
func (p *pilot) request(t *testing.T, method string, body []byte) *http.Request {
	t.Helper()
	req := request(t, method, p.g.URL(p.path()), strings.NewReader(string(body)))
	req.Header = http.Header{}
	return req
}

// arrived waits until a backend that keeps what arrives has got so many requests, which are all that it will get.
func (p *pilot) arrived(t *testing.T, b *backend.Server, n int) []backend.Echo {
	t.Helper()
	gateway.Eventually(t, fmt.Sprintf("%s has got %d requests", b.Name, n), func() bool { return len(b.Kept()) >= n })
	all := b.Kept()
	if len(all) > n {
		t.Fatalf("%s has got %d requests, want %d", b.Name, len(all), n)
	}
	return all
}

// report is what the gateway says of a mirror; an empty name means the only one.
func (p *pilot) report(t *testing.T, mirror string) gateway.MirrorReport {
	t.Helper()
	reports := p.g.Mirrors(t, p.rollout.Name)
	for _, r := range reports {
		if r.Mirror == mirror || mirror == "" && len(reports) == 1 {
			return r
		}
	}
	t.Fatalf("no mirror %q among %+v", mirror, reports)
	return gateway.MirrorReport{}
}

// counted waits until a mirror has counted something so often, and returns its report then.
func (p *pilot) counted(t *testing.T, mirror, what string, n int64) (r gateway.MirrorReport) {
	t.Helper()
	gateway.Eventually(t, fmt.Sprintf("%s of %s is %d", what, p.rollout.Name, n), func() bool {
		r = p.report(t, mirror)
		return r.Counts[what] >= n
	})
	if r.Counts[what] > n {
		t.Errorf("%s was counted %d times, want %d", what, r.Counts[what], n)
	}
	return r
}

// sent waits until so many copies came to an end.
func (p *pilot) sent(t *testing.T, mirror string, n int64) gateway.MirrorReport {
	t.Helper()
	return p.counted(t, mirror, "sent", n)
}
