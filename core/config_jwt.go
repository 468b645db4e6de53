package core

// JWT is how the tokens of requests are verified, so that claim() can read them. What is not verified has no claims.
type JWT struct {
	// From holds the value expressions that the token is in, such as cookie("session"); the first that holds one counts.
	// "Bearer " before a token is no part of it. Empty: the Authorization header, with Bearer.
	From []string `json:"from,omitempty"`

	// JWKS is where the public keys are: the URL of a JWK set, which is fetched in the background and kept while its
	// server is away, or a file with a JWK set or with PEM (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE). Empty: there is
	// only the secret.
	JWKS string `json:"jwks,omitempty"`

	// Secret is what HS256, HS384 and HS512 are verified with, of 32, 48 and 64 bytes at least: "env:NAME",
	// "file:/path", or the text itself, which a gateway may show to whoever can read its configuration. Empty: there are
	// only the public keys.
	Secret string `json:"secret,omitempty"`

	// Issuer is what "iss" must be, to the letter. Empty: any.
	Issuer string `json:"issuer,omitempty"`

	// Audience holds what "aud" must name one of. Empty: any.
	Audience []string `json:"audience,omitempty"`

	// Leeway is how far the clocks of the issuer and of this machine may differ, in whole seconds, 10m at most: "30s".
	// Empty: 60s.
	Leeway string `json:"leeway,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
