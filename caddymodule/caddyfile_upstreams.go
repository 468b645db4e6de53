package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/grayling-gateway/grayling/core"
)

// upstreams reads
//
//	upstreams {
//		<address> [weight=<n>] [<key>=<value>...]
//		proxy {
//			<subdirectives of reverse_proxy>
//		}
//	}
func (p *parser) upstreams() error {
	p.here("upstreams", "upstreams")
	directive := p.Token()
	if p.NextArg() {
		return p.Errf("unexpected %q: upstreams takes a block, with one address a line", p.Val())
	}
	proxy := written{directive: directive, name: "upstreams", proxy: true}
	seen := false
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		line := p.NextSegment()
		if line[0].Text != "proxy" {
			if err := p.upstream(line); err != nil {
				return err
			}
			proxy.upstreams = append(proxy.upstreams, line[0])
			continue
		}
		if seen {
			return place{token: line[0]}.errorf("upstreams: proxy is given twice")
		}
		seen = true
		var err error
		if proxy.lines, err = sharedProxy(line); err != nil {
			return err
		}
	}
	if len(proxy.upstreams) == 0 {
		return place{token: directive}.errorf("upstreams needs a block with one address a line, such as: 10.0.0.1:8080 weight=9 version=v1")
	}
	handler, err := p.parseProxy(proxy, "upstreams are a reverse_proxy: ")
	if err != nil {
		return err
	}
	handler.Upstreams = nil // they stand in the rollout's own field
	if config := caddyconfig.JSON(handler, nil); string(config) != "{}" {
		p.rollout.Proxy = config
	}
	return nil
}

// upstream reads a line of upstreams. A range of ports is several.
func (p *parser) upstream(line caddyfile.Segment) error {
	at := place{token: line[0], label: "upstream " + line[0].Text}
	words, err := oneLine(line)
	if err != nil {
		return err
	}
	dials, err := dialed(line[0])
	if err != nil {
		return placed(err, line[0], "")
	}
	for _, dial := range dials {
		p.places[indexed("upstreams", len(p.rollout.Upstreams))] = at
		p.rollout.Upstreams = append(p.rollout.Upstreams, strings.Join(append([]string{dial}, words[1:]...), " "))
	}
	return nil
}

// oneLine returns the words of a line that has no block.
func oneLine(line caddyfile.Segment) ([]string, error) {
	var words []string
	for _, token := range line {
		if token.Text == "{" {
			return nil, place{token: line[0]}.errorf("%s takes no block: weight=<n> and <key>=<value> stand on its line", line[0].Text)
		}
		if token.Text == "" {
			return nil, place{token: token}.errorf("a word is empty: leave it out, or write an address or <key>=<value>")
		}
		if strings.ContainsFunc(token.Text, isBlank) {
			return nil, place{token: token}.errorf("%q has blanks: addresses and metadata have none", token.Text)
		}
		words = append(words, token.Text)
	}
	return words, nil
}

func isBlank(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }

// dialed returns what Caddy's own parser makes of an upstream's address.
func dialed(address caddyfile.Token) ([]string, error) {
	directive := address.Clone()
	directive.Text = "reverse_proxy"
	var proxy reverseproxy.Handler
	if err := proxy.UnmarshalCaddyfile(caddyfile.NewDispenser([]caddyfile.Token{directive, address})); err != nil {
		return nil, err
	}
	dials := make([]string, 0, len(proxy.Upstreams))
	for _, u := range proxy.Upstreams {
		dials = append(dials, u.Dial)
	}
	return dials, nil
}

// sharedProxy returns the lines of the block proxy. Some subdirectives have no place there.
func sharedProxy(line caddyfile.Segment) ([]caddyfile.Segment, error) {
	if len(line) < 2 || line[1].Text != "{" {
		return nil, place{token: line[0]}.errorf("proxy takes a block with subdirectives of reverse_proxy")
	}
	lines := fields(line)
	for _, l := range lines {
		at := place{token: l[0]}
		switch l[0].Text {
		case "to":
			return nil, at.errorf("proxy: the addresses stand in upstreams, one a line")
		case "dynamic":
			return nil, at.errorf("proxy: upstreams are listed; for dynamic ones, give each variant a block with a reverse_proxy, and lb_policy rollout in it")
		case "lb_policy":
			return nil, at.errorf("proxy: the rollout itself selects the upstreams, by weight and metadata")
		}
	}
	return lines, nil
}

// where reads what follows the word where on a variant's line.
func (p *parser) where(v *Variant) error {
	for p.NextArg() {
		if weightPattern.MatchString(p.Val()) {
			return p.Errf("variant %s: a weight stands before where: variant %[1]s %s where ...", v.Name, p.Val())
		}
		if err := addPair(&v.Where, p.Token()); err != nil {
			return err
		}
	}
	if len(v.Where) == 0 {
		return p.Errf("variant %s: where takes the metadata that its upstreams have: where version=v2", v.Name)
	}
	at := place{token: p.Token()}
	if p.NextBlock(p.Nesting()) {
		return at.errorf("variant %s has no block: its upstreams are reached as proxy in upstreams says; "+
			"for settings of its own, and for like, name its addresses instead of where", v.Name)
	}
	return nil
}

// addPair adds <key>=<value> to a selector.
func addPair(selector *map[string]any, token caddyfile.Token) error {
	key, value, isPair := strings.Cut(token.Text, "=")
	if !isPair {
		return place{token: token}.errorf("%q is not <key>=<value>", token.Text)
	}
	if _, twice := (*selector)[key]; twice {
		return place{token: token}.errorf("%s is given twice", key)
	}
	if *selector == nil {
		*selector = make(map[string]any)
	}
	(*selector)[key] = value
	return nil
}

// subset reads
//
//	subset <metadata-key> <expression> [baseline|any|none]
func (p *parser) subset() error {
	token := p.Token()
	s, err := parseSubset(p.Dispenser)
	if err != nil {
		return err
	}
	p.places.subset(token, s, len(p.rollout.Subsets))
	p.rollout.Subsets = append(p.rollout.Subsets, s)
	return p.noBlock("subset")
}

// subset remembers where the subset of that index stands; the first stands for all.
func (p places) subset(token caddyfile.Token, s core.Subset, i int) {
	if i == 0 {
		p["subsets"] = place{token: token, label: "subset"}
	}
	p[indexed("subsets", i)] = place{token: token, label: "subset " + s.Key}
}

func parseSubset(d *caddyfile.Dispenser) (core.Subset, error) {
	var s core.Subset
	args := d.RemainingArgs()
	if len(args) < 2 || len(args) > 3 || len(args) == 3 && args[2] == "" {
		return s, d.Err("subset takes a key of the metadata, an expression in backticks, and perhaps baseline, any or none: " +
			"subset version `header(\"X-Version\")`")
	}
	s.Key, s.Value = args[0], args[1]
	if len(args) == 3 {
		s.Otherwise = args[2]
	}
	return s, nil
}
