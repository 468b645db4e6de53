package caddymodule

// jwt reads
//
//	jwt { ... }
func (p *parser) jwt() error {
	j := &p.rollout.JWT
	p.here("jwt", "jwt")
	if p.NextArg() {
		return p.Errf("unexpected %q: jwt takes a block", p.Val())
	}
	at := p.places["jwt"]
	err := p.options("jwt", []string{"from", "jwks", "secret", "issuer", "audience", "leeway"}, map[string]any{
		"from": &j.From, "jwks": &j.JWKS, "secret": &j.Secret, "issuer": &j.Issuer, "audience": &j.Audience, "leeway": &j.Leeway,
	})
	if err == nil && j.JWKS == "" && j.Secret == "" {
		err = at.errorf("jwt needs a block with jwks or secret: what are tokens verified with?")
	}
	return err
}
