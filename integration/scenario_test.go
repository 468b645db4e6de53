package integration

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

func TestMain(m *testing.M) { os.Exit(gateway.Main(m)) }

// hosts are the gateways that the table runs on.
var hosts = []gateway.Host{gateway.Caddy{}, gateway.TraefikService{}, gateway.TraefikProxy{}}

// table is every scenario, by subject.
var table = slices.Concat(
	geoScenarios, identityScenarios, authenticationScenarios, betaScenarios,
	ruleScenarios, languageScenarios, addressScenarios, splitScenarios, []scenario{vectorScenario, loopScenario, memoryScenario, goroutineScenario}, announceScenarios,
	forgeryScenarios, stickyScenarios, cookieForgeryScenarios, routerScenarios, countedScenarios, streamScenarios, fallbackScenarios, reloadScenarios, planReloadScenarios, restartScenarios, caddyScenarios, caddyBalanceScenarios, metricsScenarios, matcherScenarios, refusalScenarios,
	traefikScenarios, serviceScenarios, proxyScenarios, healthScenarios, balanceScenarios,
	foretoldScenarios,
	inPools(announceScenarios, forgeryScenarios, streamScenarios, fallbackScenarios),
)

// scenario is a site and what has to happen on it.
type scenario struct {
	name      string
	site      gateway.Site
	exchanges []exchange
	run       func(*testing.T, *gateway.Gateway) // after the exchanges
	// tidy tells of run that it leaves nothing behind, on the gateway or its backends, and does not look what was there before.
	tidy bool
	// only names the one host that can have this scenario ("traefik" in both modes), and because says why
	// and what stands for it on the others.
	only, because string
}

// exchange is one request and what has to come of it.
type exchange struct {
	gateway.Request
	want     string   // the decision: "canary rule:qa"
	status   int      // 200 if 0
	upstream []string // "Name: value" the only field of that name at the backend; "Name:" none
	client   []string // the same in the response
}

// pooled tells that the gateway balances over upstreams itself.
func (s scenario) pooled() bool {
	return slices.ContainsFunc(s.site.Rollouts, func(r gateway.Rollout) bool { return len(r.Upstreams) > 0 })
}

func TestScenarios(t *testing.T) {
	names := make(map[string]bool)
	for _, s := range table {
		if names[s.name] || (s.only == "") != (s.because == "") || len(s.exchanges) == 0 && s.run == nil {
			t.Fatalf("scenario %q: repeated, empty, or of one host without saying why", s.name)
		}
		names[s.name] = true
	}
	for _, e := range exceptions {
		if !names[e.scenario] || !names[e.instead] || e.because == "" {
			t.Fatalf("exception %q: there is no such scenario, or nothing stands for it, or nothing says why", e.scenario)
		}
	}
	for _, host := range hosts {
		t.Run(host.Name(), func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting
			st := &stage{t: t, host: host}
			for _, s := range table {
				if !strings.HasPrefix(host.Name(), s.only) || excepted(host, s) {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					g := st.set(t, s)
					for i, e := range s.exchanges {
						t.Run(fmt.Sprintf("%d", i), func(t *testing.T) { e.check(t, g) })
					}
					if s.run != nil {
						s.run(t, g)
					}
				})
			}
		})
	}
}

// check sends the request to the gateway's first rollout.
func (e exchange) check(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	e.checkOn(t, g, g.Site.Rollouts[0].Name)
}

func (e exchange) checkOn(t *testing.T, g *gateway.Gateway, rollout string) {
	t.Helper()
	a := g.Do(t, e.Request)
	status := e.status
	if status == 0 {
		status = http.StatusOK
	}
	if a.Status != status {
		t.Errorf("%s: status %d, want %d", e.describe(), a.Status, status)
	}
	variant, _, _ := strings.Cut(e.want, " ")
	if a.Backend() != variant && a.Backend() != "" {
		t.Errorf("%s: backend %q answered, want %q", e.describe(), a.Backend(), variant)
	}
	if a.Backend() == "" && status == http.StatusOK {
		t.Errorf("%s: no backend answered: %q", e.describe(), a.Body)
	}
	expectDecision(t, e.describe(), g, rollout, a, e.want)
	expectFields(t, e.describe()+": upstream", a.Echo.Header, e.upstream)
	expectFields(t, e.describe()+": client", a.Header, e.client)
}

// expectDecision holds what the gateway recorded to want. Where nothing shows the reason, the variant has to
// do: the reasons are the engine's own, the same code on every host, and its tests run interpreted too.
func expectDecision(t *testing.T, what string, g *gateway.Gateway, rollout string, a gateway.Answer, want string) {
	t.Helper()
	if !g.Traits.Reasons {
		want, _, _ = strings.Cut(want, " ")
	}
	if got := g.Decision(t, rollout, a).String(); got != want {
		t.Errorf("%s: decision %q, want %q", what, got, want)
	}
}

func (e exchange) describe() string {
	return strings.TrimSpace(strings.Join(append([]string{e.Method, e.Target}, e.Header...), " "))
}

// expectFields holds a header to "Name: value" lines. "-" and "_" are one, as they are to CGI; so no
// alias of an expected field may be there either.
func expectFields(t *testing.T, where string, h http.Header, lines []string) {
	t.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		var want []string
		if value != "" {
			want = []string{strings.TrimSpace(value)}
		}
		if got := fields(h, name); !slices.Equal(got, want) {
			t.Errorf("%s: %s is %q, want %q", where, name, got, want)
		}
	}
}

func fields(h http.Header, name string) []string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "-")) }
	var all []string
	for n, values := range h {
		if plain(n) == plain(name) {
			all = append(all, values...)
		}
	}
	return all
}

// get is a GET of / with these header lines.
func get(header ...string) gateway.Request { return gateway.Request{Header: header} }

// at is a GET of target.
func at(target string, header ...string) gateway.Request {
	return gateway.Request{Target: target, Header: header}
}

// from is a GET over a connection from this address.
func from(address string, header ...string) gateway.Request {
	return gateway.Request{From: address, Header: header}
}

// checkout is the rollout of most scenarios: a canary that only rules reach, until share is set.
func checkout(rules ...gateway.Rule) gateway.Rollout {
	return gateway.Rollout{
		Name:     "checkout",
		Variants: []gateway.Variant{{Name: "stable"}, {Name: "canary"}},
		Rules:    rules,
	}
}

// qa sends X-Version: v2 to the canary.
var qa = gateway.Rule{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}

// split is a checkout whose canary has a share of the users, known by X-User.
func split(share string) gateway.Rollout {
	r := checkout()
	r.Variants[1].Weight = share
	r.Key = []string{`header("X-User")`}
	return r
}

func site(rollouts ...gateway.Rollout) gateway.Site { return gateway.Site{Rollouts: rollouts} }

// weighed is a site of whose gateway somebody watches what is left behind.
func weighed(s gateway.Site) gateway.Site {
	s.Weighed = true
	return s
}
