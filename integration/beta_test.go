package integration

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/geo"
)

// betaScenarios have all ways to say who is asking in one rollout.
var betaScenarios = []scenario{
	{
		name: "testers by role, 5,000 users by id, an office, a fifth of Europe, and everybody keeps a version",
		site: behindProxy(),
		run:  runBeta,
	},
}

// beta is a rollout as in examples/caddy/beta.caddyfile, with files in the gateway's directory.
func beta(t *testing.T, g *gateway.Gateway, share string) gateway.Site {
	t.Helper()
	users, cities := filepath.Join(g.Dir, "users.txt"), filepath.Join(g.Dir, "city.mmdb")
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, "user-%d\n", i)
	}
	write(t, users, lines.String())
	writeDatabase(t, cities, geo.Cities, geo.Documentation...)
	r := checkout(
		rule("testers", `claim("roles").has("beta")`),
		rule("users", `claim("sub").inFile(`+strconv.Quote(users)+`)`),
		rule("office", `ip().in("203.0.113.0/28")`),
		gateway.Rule{Name: "europe", Use: "canary", Percent: "20%", When: `geo("continent") == "EU"`},
	)
	r.Variants[1].Weight = share
	r.Geo = []string{cities}
	r.JWT = gateway.JWT{Secret: tokenSecret, Issuer: "https://login.example", Audience: []string{"shop"}}
	r.Sticky = gateway.Sticky{Mode: "cookie", Secret: []string{cookieSecret}}
	return gateway.Site{TrustedProxies: []string{proxy}, Rollouts: []gateway.Rollout{r}}
}

func runBeta(t *testing.T, g *gateway.Gateway) {
	const office, texas, norway = "203.0.113.7", "203.0.113.77", "192.0.2.7"
	g.Reload(t, beta(t, g, "0%"))
	token := func(changes map[string]any) string { return bearer(bySecret(changes)) }
	tester := map[string]any{"roles": []string{"user", "beta"}}
	forged := bearer(signed(jwt.SigningMethodHS256, []byte(strings.ToUpper(tokenSecret)), "", tester))
	for _, e := range []exchange{
		{Request: client(texas, token(tester)), want: "canary rule:testers"},
		{Request: client(texas, forged), want: "stable split"},
		{Request: client(texas, token(map[string]any{"sub": "user-0"})), want: "canary rule:users"},
		{Request: client(texas, token(map[string]any{"sub": "user-4999"})), want: "canary rule:users"},
		{Request: client(texas, token(map[string]any{"sub": "user-5000"})), want: "stable split"},
		{Request: client(texas, "X-User: user-0"), want: "stable split"},
		{Request: client(office), want: "canary rule:office"},
		{Request: get("X-Forwarded-For: " + office), want: "stable split"},
		{Request: client(office + ", " + texas), want: "stable split"},
	} {
		e.check(t, g)
	}

	// Who is new gets a cookie, and with it what he got: in Europe one in five the new version.
	type visitor struct{ address, cookie, backend string }
	var visitors []visitor
	canaries := map[string]int{}
	for i := range 200 {
		v := visitor{address: norway}
		if i%2 == 1 {
			v.address = texas
		}
		a := g.Do(t, client(v.address))
		v.cookie, v.backend = "Cookie: "+cookies(a), a.Backend()
		if v.backend == "canary" {
			canaries[v.address]++
		}
		visitors = append(visitors, v)
	}
	if n := canaries[norway]; n < 4 || n > 45 || canaries[texas] != 0 { // of 100: less likely than one in a million
		t.Errorf("on the canary are %d of 100 in Europe, and %d elsewhere", n, canaries[texas])
	}
	for _, share := range []string{"0%", "90%", "0%"} {
		g.Reload(t, beta(t, g, share))
		for i, v := range visitors {
			if a := g.Do(t, client(v.address, v.cookie)); a.Backend() != v.backend {
				t.Fatalf("with a split of %s, visitor %d goes from %s to %s", share, i, v.backend, a.Backend())
			}
		}
	}
}
