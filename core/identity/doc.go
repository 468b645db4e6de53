// Package identity verifies JSON Web Tokens (RFC 7519) that are signed (RFC 7515), and reads claims from those that it
// verified. It follows the best current practices of RFC 8725.
//
//	v := identity.New(identity.Settings{Issuer: "https://login.example"})
//	role := v.Claim("realm_access.roles")
//	err := v.LoadKeys(content) // a JWK set, or PEM
//	claims, cause := identity.Verify(v, token, time.Now())
//	if cause == identity.Verified {
//		fmt.Println(claims[role])
//	}
//
// # What is accepted
//
// A token in the compact form, of 16 KiB at most, signed with HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384,
// PS512, ES256, ES384, ES512 or EdDSA with Ed25519. Which of these a key may be used for follows from the key (RFC 8725,
// section 3.1): the header of the token only chooses among them. So there is no "none", and a public key is never taken
// for the secret of an HMAC.
//
// Whatever could be read in two ways is refused: members that occur twice, base64 with padding, line breaks or stray
// bits, text that is not UTF-8, signatures of another length than the algorithm's. So is what would have to be understood
// and is not: "crit", "b64", nested and encrypted tokens, keys that the token brings along. A token must say when it
// expires.
//
// # Memory
//
// Of a verified token only the claims that were asked for are kept, with the token itself as their key, until the keys
// change or there is no room. Tokens that are refused leave nothing behind, however many a client sends.
//
// Everything may be used from many goroutines at once, except [Verifier.Claim], which belongs before the first token.
package identity
