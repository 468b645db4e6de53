package core

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/geo"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Problem is something wrong with a configuration.
type Problem struct {
	Path string // where, such as "rules[2].when"; positions count from 0, as written
	Text string // what, the value, and the way out
}

// Check returns everything that is wrong with a configuration, without reading the files that it names: they need to be
// there only where the gateway runs. The result is empty if Compile would succeed given those files.
func Check(config Config, host Host) []Problem {
	host.watch = func(path string, load func(content []byte) error) error { return nil }
	host.dry = true
	_, problems := check(config, host)
	return problems
}

// checked is a configuration that was read and checked: what an engine decides by.
type checked struct {
	name      string
	variants  []string
	weights   []balance.Weight
	balancer  *Balancer // nil if no variant has a pool
	rules     []*rule
	table     *expr.Table
	key       *expr.Key
	sticky    *stickiness
	salt      string
	ends      time.Time
	announcer *announcer
	fallback  map[string]bool
	observe   bool
	tokens    *tokens     // nil if none are verified
	places    *geo.Places // nil without databases
	revision  string
	candidate int              // 0: there is none
	plan      *rollout.Plan    // nil: there is none
	checks    *analysis.Checks // nil without a plan
	outside   *outside
	mirrors   []*mirroring
	goals     *goals // nil: there are none
}

// rule is what follows when a condition of the table holds.
type rule struct {
	name    string
	variant int
	percent balance.Weight // 0: all
	slots   int            // of 65,536 that the percentage takes in
	salt    *balance.Salt

	condition *expr.Condition // of which the table is made
}

// checker collects the problems of one configuration.
type checker struct {
	host     Host
	problems []Problem
	places   *geo.Places // nil without databases
	claims   *tokens     // nil if claim() has nothing to read

	incomplete bool // whether an upstream could not be read, so that others cannot be held to what it might have
}

func (c *checker) fail(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

// Join returns the problems as one error, or nil if there are none.
func Join(problems []Problem) error {
	list := make([]error, 0, len(problems))
	for _, p := range problems {
		list = append(list, errors.New(p.Path+": "+p.Text))
	}
	return errors.Join(list...)
}

func check(config Config, host Host) (checked, []Problem) {
	c := &checker{host: host}
	var p checked
	p.name = config.Name
	c.name("name", "the rollout", config.Name)
	c.rest("", config.Rest, []string{"name", "variants", "upstreams", "subsets", "rules", "key", "sticky", "router", "salt", "revision", "ends", "announce",
		"fallback_methods", "observe", "geo", "jwt", "plan", "mirrors", "goals", "notify", "trusted_proxies", "client_header", "proxy", "store", "prometheus", "member", "control"})
	c.geo(config.Geo)
	p.places = c.places
	p.tokens = c.tokens(config.JWT)
	c.claims = p.tokens
	c.variants(config.Variants, &p)
	p.balancer = c.balancer(config)
	p.salt = config.Salt
	if p.salt == "" {
		p.salt = config.Name
	}
	c.rules(config.Rules, &p)
	c.key(config.Key, &p)
	p.sticky = c.stickiness(config)
	p.ends = c.ends(config.Ends)
	p.announcer = c.announce(config.Announce, p.name, p.variants)
	p.fallback = c.fallbackMethods(config.FallbackMethods)
	switch config.Observe {
	case "":
		p.observe = true
	case "off":
	default:
		c.fail("observe", `unknown value %q: leave it out, or write "off"`, config.Observe)
	}
	p.outside = c.outside(config)
	c.mirrors(config.Mirrors, &p)
	p.goals = c.goals(config, &p)
	c.plan(config, &p)
	return p, c.problems
}

func (c *checker) variants(variants []Variant, p *checked) {
	if len(variants) == 0 {
		c.fail("variants", "a rollout needs at least one variant")
		return
	}
	seen := map[string]bool{}
	failed := false
	baseline := ""
	var sum balance.Weight
	for _, i := range inOrder(len(variants), func(i int) int { return variants[i].Order }) {
		v := variants[i]
		path := fmt.Sprintf("variants[%d]", i)
		c.rest(path+".", v.Rest, []string{"name", "weight", "order", "upstreams", "where", "proxy"})
		c.name(path+".name", "the variant", v.Name)
		if v.Name != "" && seen[v.Name] {
			c.fail(path+".name", "there are two variants %q: names are unique", v.Name)
		}
		seen[v.Name] = true
		var weight balance.Weight
		if v.Weight != "" {
			var err error
			if weight, err = balance.ParseWeight(v.Weight); err != nil {
				c.fail(path+".weight", "%v", err)
				failed = true
			}
		}
		if len(p.variants) == 0 {
			baseline = v.Weight
		}
		p.variants = append(p.variants, v.Name)
		p.weights = append(p.weights, weight)
		sum += weight
	}
	if failed {
		return
	}
	_, err := balance.NewLine(p.weights)
	switch {
	case err != nil:
		c.fail("variants", "%v", err)
	case baseline != "" && sum != balance.Full:
		c.fail("variants", "the weights add up to %s; the baseline takes what the others leave: leave its weight out, or make the sum 100%%", sum.String())
	}
}

func (c *checker) rules(rules []Rule, p *checked) {
	seen := map[string]bool{}
	conditions := make([]*expr.Condition, 0, len(rules))
	for _, i := range inOrder(len(rules), func(i int) int { return rules[i].Order }) {
		r := rules[i]
		path := fmt.Sprintf("rules[%d]", i)
		c.rest(path+".", r.Rest, []string{"name", "use", "percent", "when", "order"})
		c.name(path+".name", "the rule", r.Name)
		if r.Name != "" && seen[r.Name] {
			c.fail(path+".name", "there are two rules %q: names are unique", r.Name)
		}
		seen[r.Name] = true
		compiled := &rule{name: r.Name, slots: balance.Slots, salt: balance.NewSalt(p.salt + "/" + r.Name)}
		compiled.variant = c.variant(path+".use", r.Use, p.variants)
		if r.Percent != "" {
			percent, err := balance.ParseWeight(r.Percent)
			if err != nil {
				c.fail(path+".percent", "%v", err)
			}
			compiled.percent = percent
			compiled.slots = percent.Slots()
		}
		compiled.condition = c.condition(path+".when", r)
		p.rules = append(p.rules, compiled)
		conditions = append(conditions, compiled.condition)
	}
	if len(c.problems) == 0 {
		p.table = expr.NewTable(conditions)
	}
}

func (c *checker) condition(path string, r Rule) *expr.Condition {
	own := c.host.Conditions[r.Name]
	switch {
	case own != nil && r.When != "":
		c.fail(path, "the rule has a condition and a matcher: one of them is enough")
		return nil
	case own != nil:
		return expr.Outside(own)
	case r.When == "":
		c.fail(path, `a rule needs a condition such as header("X-Version") == "v2"; true matches every request`)
		return nil
	}
	condition, problems := expr.ParseCondition(r.When, c.exprHost())
	for _, problem := range problems {
		c.fail(path, "%v", problem)
	}
	return condition
}

func (c *checker) exprHost() expr.Host {
	host := expr.Host{Placeholder: c.host.Placeholder, Watch: c.host.watch}
	if c.places != nil {
		host.Geo = func(field string) (func(address netip.Addr) string, error) { return c.place(field) }
	}
	if t := c.claims; t != nil {
		host.Claim = func(path string) int { return t.verifier.Claim(path) }
		host.Claims = func(r *http.Request) [][]string { return claimsOf(t, r) }
	}
	return host
}

func (c *checker) key(sources []string, p *checked) {
	if len(sources) == 0 {
		p.key = expr.RandomKey()
		return
	}
	key, problems := expr.ParseKey(sources, c.exprHost())
	for i := range problems {
		for _, problem := range problems[i] {
			c.fail(fmt.Sprintf("key[%d]", i), "%v", problem)
		}
	}
	p.key = key
}

func (c *checker) ends(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	ends, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.fail("ends", "%q is not a time such as 2027-01-31T18:00:00Z", text)
	}
	return ends
}

func (c *checker) fallbackMethods(methods []string) map[string]bool {
	if len(methods) == 0 {
		return map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true}
	}
	set := make(map[string]bool, len(methods))
	for i, method := range methods {
		path := fmt.Sprintf("%s[%d]", c.spelled("fallback_methods"), i)
		switch {
		case method == "none" && len(methods) == 1:
			return nil
		case set[method]:
			c.fail(path, "%s is given twice", method)
		case method == "none":
			c.fail(path, `"none" stands alone`)
		case method == "" || method != strings.ToUpper(method) || strings.ContainsAny(method, " ,\t"):
			c.fail(path, "%q is not a method such as GET: methods are upper case, one each", method)
		}
		set[method] = true
	}
	return set
}

// variant returns the index of a named variant.
func (c *checker) variant(path, name string, variants []string) int {
	for i, v := range variants {
		if v == name {
			return i
		}
	}
	if len(variants) == 0 {
		return 0 // which is a problem of its own
	}
	if name == "" {
		c.fail(path, "which variant? There are %s", strings.Join(variants, ", "))
		return 0
	}
	hint := expr.Suggest(name, variants)
	if hint == "" {
		hint = "; there are " + strings.Join(variants, ", ")
	}
	c.fail(path, "unknown variant %q%s", name, hint)
	return 0
}

// name checks a name that goes into logs, headers, paths and metrics.
func (c *checker) name(path, what, name string) {
	if name == "" {
		c.fail(path, "%s needs a name", what)
		return
	}
	ok := len(name) <= 64
	for i := 0; i < len(name); i++ {
		b := name[i]
		letter := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
		ok = ok && (letter || i > 0 && (b == '.' || b == '_' || b == '-'))
	}
	if !ok {
		c.fail(path, "%q is not a name: a letter or digit, then letters, digits, dots, underscores and hyphens, 64 at most", name)
	}
}

// rest reports keys that nobody knows.
func (c *checker) rest(prefix string, rest map[string]any, known []string) {
	spelled := make([]string, len(known))
	for i, key := range known {
		spelled[i] = c.spelled(key)
	}
	c.problems = append(c.problems, UnknownKeys(prefix, rest, spelled)...)
}

// UnknownKeys returns a problem for every key of rest, the keys of a section that nobody knows, in alphabetical order.
// known are those of the section that there are, and prefix is the section's path with a dot.
func UnknownKeys(prefix string, rest map[string]any, known []string) []Problem {
	problems := make([]Problem, 0, len(rest))
	for _, key := range sortedKeys(rest) {
		hint := expr.Suggest(key, known)
		if hint == "" {
			hint = "; there are " + strings.Join(known, ", ")
		}
		text := "unknown key" + hint
		if _, isSection := rest[key].(map[string]any); isSection {
			text += "; the elements of lists have indexes, as in rules[0], and in a label every dot begins a new level"
		}
		problems = append(problems, Problem{Path: prefix + key, Text: text})
	}
	return problems
}

// spelled returns a key of the configuration as the host's users write it.
func (c *checker) spelled(key string) string {
	if !c.host.CamelCase {
		return key
	}
	words := strings.Split(key, "_")
	for i, word := range words {
		if i > 0 {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

func (c *checker) prefixes(path string, texts []string) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(texts))
	for i, text := range texts {
		prefix, err := expr.ParsePrefix(text)
		if err != nil {
			c.fail(fmt.Sprintf("%s[%d]", path, i), "%v", err)
			continue
		}
		list = append(list, prefix)
	}
	return list
}

// inOrder returns the indexes 0 to n-1, stably sorted by order.
func inOrder(n int, order func(i int) int) []int {
	list := make([]int, n)
	for i := 0; i < n; i++ {
		list[i] = i
	}
	sort.SliceStable(list, func(a, b int) bool { return order(list[a]) < order(list[b]) })
	return list
}
