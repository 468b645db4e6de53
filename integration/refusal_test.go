package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// refusals are configurations that no host accepts, and what each error has to name.
var refusals = []struct {
	name   string
	change func(*gateway.Rollout)
	names  []string
}{
	{"a rule for an unknown variant", func(r *gateway.Rollout) { r.Rules[0].Use = "cannary" }, []string{"cannary", "canary"}},
	{"weights over 100%", func(r *gateway.Rollout) { r.Variants[1].Weight = "100.5%" }, []string{"100"}},
	{"weights below a slot", func(r *gateway.Rollout) { r.Variants[1].Weight = "0.001%" }, []string{"0.001"}},
	{"a baseline that does not take the rest", func(r *gateway.Rollout) { r.Variants[0].Weight = "60%"; r.Variants[1].Weight = "50%" }, []string{"100"}},
	{"two variants of one name", func(r *gateway.Rollout) { r.Variants[1].Name = "stable"; r.Rules[0].Use = "stable" }, []string{"stable"}},
	{"two rules of one name", func(r *gateway.Rollout) { r.Rules = append(r.Rules, r.Rules[0]) }, []string{"qa"}},
	{"no variants", func(r *gateway.Rollout) { r.Variants = nil; r.Rules = nil }, []string{"variant"}},
	{"an unknown function", func(r *gateway.Rollout) { r.Rules[0].When = `heder("A") == "1"` }, []string{`"heder"`, `"header"`}},
	{"an unknown method", func(r *gateway.Rollout) { r.Rules[0].When = `header("A").startsWith("1")` }, []string{"startsWith"}},
	{"an argument of the wrong type", func(r *gateway.Rollout) { r.Rules[0].When = `header(1) == "1"` }, []string{"header"}},
	{"a bare value as condition", func(r *gateway.Rollout) { r.Rules[0].When = `header("A")` }, []string{".exists()"}},
	{"a bad regular expression", func(r *gateway.Rollout) { r.Rules[0].When = `header("A").matches("(")` }, []string{"missing closing )"}},
	{"a bad CIDR", func(r *gateway.Rollout) { r.Rules[0].When = `ip().in("10.0.0.0/33")` }, []string{"10.0.0.0/33"}},
	{"a missing file", func(r *gateway.Rollout) { r.Rules[0].When = `header("A").inFile("/nowhere/users.txt")` }, []string{"/nowhere/users.txt"}},
	{"a country without a database", func(r *gateway.Rollout) { r.Rules[0].When = `geo("country") == "NO"` }, []string{"geo() needs a database"}},
	{"a country that is none", func(r *gateway.Rollout) {
		r.Geo = []string{"/nowhere/GeoLite2-City.mmdb"}
		r.Rules[0].When = `geo("country") == "Norway"`
	}, []string{`"Norway" is no country`}},
	{"a field that no database has", func(r *gateway.Rollout) {
		r.Geo = []string{checkedIn("core/geo/testdata/GeoLite2-ASN.mmdb")}
		r.Rules[0].When = `geo("country") == "NO"`
	}, []string{"no database has the country", "GeoLite2-ASN.mmdb"}},
	{"a file that is no database", func(r *gateway.Rollout) { r.Geo = []string{checkedIn("LICENSE")} }, []string{"LICENSE", "no MaxMind DB"}},
	{"a missing database", func(r *gateway.Rollout) { r.Geo = []string{"/nowhere/GeoLite2-City.mmdb"} }, []string{"/nowhere/GeoLite2-City.mmdb"}},
	{"a bad key", func(r *gateway.Rollout) { r.Key = []string{`coookie("uid")`} }, []string{`"coookie"`, `"cookie"`}},
	{"a bad end", func(r *gateway.Rollout) { r.Ends = "tomorrow" }, []string{"tomorrow"}},
	{"a bad percentage of a rule", func(r *gateway.Rollout) { r.Rules[0].Percent = "120%" }, []string{"120"}},
	{"a bad peer to follow", func(r *gateway.Rollout) { r.Announce.Follow = []string{"10.0.0.300/8"} }, []string{"10.0.0.300/8"}},
	{"three mistakes at once", func(r *gateway.Rollout) {
		r.Rules[0].Use = "purple"
		r.Rules[0].When = `heder("A") == "1"`
		r.Key = []string{`coookie("uid")`}
	}, []string{"purple", "heder", "coookie"}},
}

// checkedIn is the absolute path of a file of the checkout.
func checkedIn(file string) string {
	path, err := filepath.Abs(filepath.Join("..", file))
	if err != nil {
		panic(err) // there is no working directory
	}
	return path
}

var refusalScenarios = []scenario{
	{
		name: "what is refused",
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, c := range refusals {
				t.Run(c.name, func(t *testing.T) {
					r := checkout(qa)
					r.Variants = []gateway.Variant{{Name: "stable"}, {Name: "canary"}}
					r.Key = []string{`header("X-User")`}
					c.change(&r)
					expectRefusal(t, g, site(r), c.names)
				})
			}
		},
	},
	{
		name: "what is refused in a Caddyfile", only: "caddy", because: "what is refused in YAML has a scenario of its own there",
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, c := range []struct {
				name, lines string
				names       []string
			}{
				{"a negative weight", "variant canary -5% {{upstream \"canary\"}}", []string{"-5%"}},
				{"an unknown subdirective", "versions canary {{upstream \"canary\"}}", []string{`versions`, "Caddyfile:"}},
				{"a repeated subdirective", "salt a\nsalt b", []string{"salt", "Caddyfile:"}},
				{"a placeholder in an expression", "rule x stable `header(\"{http.request.host}\") == \"1\"`", []string{"placeholder("}},
				{"an undefined matcher", "rule x stable @nobody", []string{"@nobody"}},
				{"an unknown inner directive", "variant canary {\nresponnd hello\n}", []string{"responnd"}},
				{"a copy of nothing", "variant canary {{upstream \"canary\"}} {\nlike stabel\n}", []string{"stabel"}},
			} {
				t.Run(c.name, func(t *testing.T) {
					s := gateway.Site{Verbatim: "{{site}} {\nrollout checkout {\nvariant stable {{upstream \"stable\"}}\n" + c.lines + "\n}\n}"}
					expectRefusal(t, g, s, c.names)
				})
			}
		},
	},
}

// expectRefusal loads a site: the error has to name things, and the old configuration has to serve, or
// nothing until it is loaded again.
func expectRefusal(t *testing.T, g *gateway.Gateway, s gateway.Site, names []string) {
	t.Helper()
	err := g.Load(s)
	if err == nil {
		g.Reload(t, g.Site) // for those that follow
		t.Fatal("it was accepted")
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if !g.Traits.Keeps {
		if a := g.Get(t, "/"); a.Status != 404 {
			t.Errorf("status %d, want 404: the router is not there", a.Status)
		}
		g.Reload(t, g.Site)
	}
	exchange{Request: get("X-Version: v2"), want: "canary rule:qa"}.check(t, g)
}
