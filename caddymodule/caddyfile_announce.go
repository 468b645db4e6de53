package caddymodule

func (p *parser) announce() error {
	if p.NextArg() {
		return p.Errf("unexpected %q: announce takes a block", p.Val())
	}
	a := &p.rollout.Announce
	seen := make(map[string]bool)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		name := p.Val()
		if seen[name] {
			return p.Errf("announce: %s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "request":
			err = p.text("announce.request", &a.Request)
		case "response":
			err = p.text("announce.response", &a.Response)
		case "follow":
			p.here("announce.follow", "follow")
			err = p.list(&a.Follow)
		case "baggage":
			if a.Baggage = true; p.NextArg() {
				err = p.Errf("unexpected %q: baggage takes no argument", p.Val())
			}
		default:
			err = unknown(p.Dispenser, []string{"request", "response", "baggage", "follow"})
		}
		if err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		return p.Err("announce needs a block with request, response, baggage or follow")
	}
	return nil
}
