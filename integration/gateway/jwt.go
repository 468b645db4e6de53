package gateway

import "bytes"

// JWT is the neutral twin of core.JWT.
type JWT struct {
	From     []string
	JWKS     string
	Secret   string
	Issuer   string
	Audience []string
	Leeway   string
}

// tokens writes jwt in Caddy's words.
func (c *caddy) tokens(b *bytes.Buffer, j JWT) {
	if j.JWKS != "" || j.Secret != "" {
		section(b, "jwt", [][]string{
			words("from", j.From), {"jwks", j.JWKS}, {"secret", j.Secret}, {"issuer", j.Issuer}, words("audience", j.Audience), {"leeway", j.Leeway},
		})
	}
}

// fields is jwt in Traefik's words.
func (j JWT) fields() map[string]any {
	return present{
		"from": j.From, "jwks": j.JWKS, "secret": j.Secret, "issuer": j.Issuer, "audience": j.Audience, "leeway": j.Leeway,
	}.fields()
}
