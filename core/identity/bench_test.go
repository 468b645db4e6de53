package identity

import "testing"

// The benchmarks run compiled and interpreted; docs/performance.md holds what they found.

// BenchmarkVerifyKnown times a token that was seen before.
func BenchmarkVerifyKnown(b *testing.B) {
	s := testSigners(b)
	v := verifier(b, Settings{}, everyKey(s)...)
	v.Claim("sub")
	token := s.token(b, "RS256", claims(`,"role":"admin","email":"somebody@shop.example","groups":["a","b","c"]`))
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		_, _ = Verify(v, token, now)
	}
}

// BenchmarkVerifyNew times a token that was not.
func BenchmarkVerifyNew(b *testing.B) {
	s := testSigners(b)
	for _, name := range []string{"HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		v := verifier(b, Settings{}, s.jwk(name, ""))
		v.Claim("sub")
		token := s.token(b, name, claims(`,"role":"admin","email":"somebody@shop.example","groups":["a","b","c"]`))
		b.Run(name, func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				v.rebuild() // forgets tokens
				_, _ = Verify(v, token, now)
			}
		})
	}
}
