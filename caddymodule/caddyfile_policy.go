package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile reads the policy:
//
//	lb_policy rollout {
//		upstream <address> [weight=<n>] [<key>=<value>...]
//		subset   <metadata-key> <expression> [baseline|any|none]
//		baseline <key>=<value>...
//	}
func (p *Policy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the policy's name
	if d.NextArg() {
		return d.Errf("unexpected %q: the policy rollout takes a block", d.Val())
	}
	found := make(places)
	found[""] = place{token: d.Token(), label: "lb_policy rollout"}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		token := d.Token()
		switch name {
		case "upstream":
			line := slices.Concat(caddyfile.Segment{token}, d.RemainingArgsAsTokens())
			words, err := oneLine(line)
			if err != nil {
				return err
			}
			found[indexed("upstreams", len(p.Upstreams))] = place{token: token, label: strings.Join(words[:min(2, len(words))], " ")}
			p.Upstreams = append(p.Upstreams, strings.Join(words[1:], " "))
		case "subset":
			s, err := parseSubset(d)
			if err != nil {
				return err
			}
			found.subset(token, s, len(p.Subsets))
			p.Subsets = append(p.Subsets, s)
		case "baseline":
			if p.Baseline != nil {
				return d.Err("baseline is given twice")
			}
			found["baseline"] = place{token: token, label: "baseline"}
			for _, pair := range d.RemainingArgsAsTokens() {
				if err := addPair(&p.Baseline, pair); err != nil {
					return err
				}
			}
			if p.Baseline == nil {
				return d.Err("baseline takes the metadata that its upstreams have: baseline version=v1")
			}
		default:
			return unknown(d, []string{"upstream", "subset", "baseline"})
		}
		if d.NextBlock(d.Nesting()) {
			return place{token: token}.errorf("%s takes no block", name)
		}
	}
	_, problems := p.compile()
	return found.report(problems)
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Policy)(nil)
