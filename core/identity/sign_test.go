package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"testing"
	"time"
)

var now = time.Unix(1800000000, 0)

// signers hold one private key of each kind.
type signers struct {
	secret  []byte
	rsa     *rsa.PrivateKey
	p256    *ecdsa.PrivateKey
	p384    *ecdsa.PrivateKey
	p521    *ecdsa.PrivateKey
	ed25519 ed25519.PrivateKey
}

var made *signers

// testSigners makes the keys once.
func testSigners(t testing.TB) *signers {
	t.Helper()
	if made != nil {
		return made
	}
	s := &signers{secret: []byte(hex.EncodeToString(randomBytes(32)))}
	var err error
	if s.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if s.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.p521, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, s.ed25519, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	made = s
	return s
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func encode(content []byte) string { return base64.RawURLEncoding.EncodeToString(content) }

// member is "name":"value", of base64url.
func member(name string, value []byte) string { return fmt.Sprintf(`,%q:%q`, name, encode(value)) }

// jwk returns the public key for an algorithm as a JWK, or the secret.
func (s *signers) jwk(algorithm, more string) string {
	switch algorithm[:2] {
	case "HS":
		return `{"kty":"oct"` + member("k", s.secret) + more + `}`
	case "RS", "PS":
		return `{"kty":"RSA","e":"AQAB"` + member("n", s.rsa.N.Bytes()) + more + `}`
	case "ES":
		private := s.curve(algorithm)
		size := (private.Curve.Params().BitSize + 7) / 8
		return fmt.Sprintf(`{"kty":"EC","crv":%q`, private.Curve.Params().Name) +
			member("x", private.X.FillBytes(make([]byte, size))) + member("y", private.Y.FillBytes(make([]byte, size))) + more + `}`
	}
	return `{"kty":"OKP","crv":"Ed25519"` + member("x", s.ed25519.Public().(ed25519.PublicKey)) + more + `}`
}

func (s *signers) curve(algorithm string) *ecdsa.PrivateKey {
	switch algorithm {
	case "ES384":
		return s.p384
	case "ES512":
		return s.p521
	}
	return s.p256
}

// sign returns a token with this header and payload, signed by the algorithm whatever the header says.
func (s *signers) sign(t testing.TB, algorithm, header, payload string) string {
	t.Helper()
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	return input + "." + encode(s.signature(t, algorithm, input))
}

// token is sign with the usual header.
func (s *signers) token(t testing.TB, algorithm, payload string) string {
	t.Helper()
	return s.sign(t, algorithm, fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, algorithm), payload)
}

func (s *signers) signature(t testing.TB, algorithm, input string) []byte {
	t.Helper()
	var signature []byte
	var err error
	h := hashOf(algorithm)
	switch algorithm[:2] {
	case "HS":
		return hmacOf(s.secret, h, input)
	case "RS":
		signature, err = rsa.SignPKCS1v15(rand.Reader, s.rsa, h, digest(h, input))
	case "PS":
		signature, err = rsa.SignPSS(rand.Reader, s.rsa, h, digest(h, input), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES":
		private := s.curve(algorithm)
		size := (private.Curve.Params().BitSize + 7) / 8
		r, v, failed := ecdsa.Sign(rand.Reader, private, digest(h, input))
		err = failed
		if err == nil {
			signature = r.FillBytes(make([]byte, size))
			signature = append(signature, v.FillBytes(make([]byte, size))...)
		}
	default:
		signature = ed25519.Sign(s.ed25519, []byte(input))
	}
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func hmacOf(secret []byte, h crypto.Hash, input string) []byte {
	mac := hmac.New(func() hash.Hash { return h.New() }, secret)
	mac.Write([]byte(input))
	return mac.Sum(nil)
}

// claims is a payload that holds now, with more members, each after a comma.
func claims(more string) string {
	return fmt.Sprintf(`{"sub":"u1","exp":%d%s}`, now.Unix()+60, more)
}

// verifier returns one that trusts the JWKs.
func verifier(t testing.TB, settings Settings, jwks ...string) *Verifier {
	t.Helper()
	v := New(settings)
	if err := v.LoadKeys([]byte(set(jwks...))); err != nil {
		t.Fatal(err)
	}
	return v
}

func set(jwks ...string) string {
	text := `{"keys":[`
	for i, jwk := range jwks {
		if i > 0 {
			text += ","
		}
		text += jwk
	}
	return text + `]}`
}

// expect verifies a token now.
func expect(t testing.TB, what string, v *Verifier, token string, want Cause) Claims {
	t.Helper()
	read, cause := Verify(v, token, now)
	if cause != want {
		t.Errorf("%s: %q, want %q", what, string(cause), string(want))
	}
	if (cause == Verified) != (read != nil) {
		t.Errorf("%s: %q and claims %v", what, string(cause), read)
	}
	return read
}
