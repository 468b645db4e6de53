package identity

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func block(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

func pkix(t *testing.T, public any) []byte {
	t.Helper()
	content, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestPEM(t *testing.T) {
	s := testSigners(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &s.p384.PublicKey, s.p384)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		algorithm string
		content   []byte
	}{
		{"RS256", block("PUBLIC KEY", pkix(t, &s.rsa.PublicKey))},
		{"PS512", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&s.rsa.PublicKey))},
		{"ES256", block("PUBLIC KEY", pkix(t, &s.p256.PublicKey))},
		{"ES384", block("CERTIFICATE", certificate)},
		{"ES512", []byte("The key of 2026:\n" + string(block("PUBLIC KEY", pkix(t, &s.p521.PublicKey))))},
		{"EdDSA", block("PUBLIC KEY", pkix(t, s.ed25519.Public()))},
	} {
		v := New(Settings{})
		if err := v.LoadKeys(c.content); err != nil {
			t.Errorf("%s: %v", c.algorithm, err)
			continue
		}
		expect(t, c.algorithm, v, s.token(t, c.algorithm, claims("")), Verified)
		expect(t, c.algorithm+" with a kid", v, s.sign(t, c.algorithm, fmt.Sprintf(`{"alg":%q,"kid":"x"}`, c.algorithm), claims("")), Verified)
	}
	both := New(Settings{})
	if err := both.LoadKeys(append(block("PUBLIC KEY", pkix(t, &s.p256.PublicKey)), block("PUBLIC KEY", pkix(t, &s.rsa.PublicKey))...)); err != nil {
		t.Fatal(err)
	}
	expect(t, "the first of two", both, s.token(t, "ES256", claims("")), Verified)
	expect(t, "the second of two", both, s.token(t, "RS256", claims("")), Verified)
}

func TestKeysRefused(t *testing.T) {
	s := testSigners(t)
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(s.p256)
	if err != nil {
		t.Fatal(err)
	}
	long := func(bits int) string { // an RSA modulus
		return encode(new(big.Int).SetBit(big.NewInt(1), bits-1, 1).Bytes())
	}
	x, y := encode(s.p256.X.FillBytes(make([]byte, 32))), encode(s.p256.Y.FillBytes(make([]byte, 32)))
	for _, c := range []struct{ content, want string }{
		{``, "neither a JWK set nor PEM"},
		{`{`, "neither a JWK set nor PEM"},
		{`<html>`, "neither a JWK set nor PEM"},
		{`{"kty":"oct"}`, `no list "keys"`},
		{`{"keys":{}}`, `no list "keys"`},
		{`{"keys":[]}`, "no key for signatures"},
		{`{"keys":[],"keys":[]}`, "twice"},
		{set(strings.Replace(s.jwk("HS256", ""), `"kty"`, `"kty":"RSA","kty"`, 1)), "twice"},
		{set(strings.Repeat(`{},`, 100) + `{}`), "101 keys"},
		{set(`1`), "keys[0]: not an object"},
		{set(`{}`), "kty"},
		{set(`{"kty":"rsa"}`), "kty"},
		{set(s.jwk("RS256", `,"use":"enc"`)), "not for signatures"},
		{set(s.jwk("RS256", `,"use":1`)), "not for signatures"},
		{set(s.jwk("RS256", `,"key_ops":["sign"]`)), "not for verifying"},
		{set(s.jwk("RS256", `,"key_ops":"verify"`)), "not for verifying"},
		{set(s.jwk("RS256", `,"alg":"HS256"`)), `its alg is "HS256"`},
		{set(s.jwk("RS256", `,"alg":"RSA-OAEP"`)), `its alg is "RSA-OAEP"`},
		{set(s.jwk("RS256", `,"alg":null`)), `its alg is ""`},
		{set(s.jwk("ES256", `,"alg":"ES384"`)), `its alg is "ES384", and it is for ES256`},
		{set(s.jwk("RS256", `,"kid":""`)), "its kid"},
		{set(s.jwk("RS256", `,"kid":7`)), "its kid"},
		{set(s.jwk("RS256", `,"d":"AQAB"`)), "private key"},
		{set(`{"kty":"oct","k":"` + encode([]byte(strings.Repeat("x", 31))) + `"}`), "31 bytes can be guessed"},
		{set(`{"kty":"oct","k":"secret with blanks"}`), `"k": not base64url`},
		{set(`{"kty":"oct"}`), `no "k"`},
		{set(`{"kty":"RSA","e":"AQAB","n":"` + long(2047) + `"}`), "2047 bits is too weak"},
		{set(`{"kty":"RSA","e":"AQAB","n":"` + long(8193) + `"}`), "8193 bits is too slow"},
		{set(`{"kty":"RSA","e":"AQ","n":"` + long(2048) + `"}`), "cannot be right"},
		{set(`{"kty":"RSA","e":"Ag","n":"` + long(2048) + `"}`), "cannot be right"},
		{set(`{"kty":"RSA","e":"_____w","n":"` + long(2048) + `"}`), "cannot be right"},
		{set(`{"kty":"RSA","e":"AQAAAAE","n":"` + long(2048) + `"}`), "cannot be right"},
		{set(`{"kty":"RSA","e":"AQAB","n":"` + encode(new(big.Int).SetBit(big.NewInt(0), 2047, 1).Bytes()) + `"}`), "cannot be right"},
		{set(`{"kty":"RSA","n":"` + long(2048) + `"}`), `no "e"`},
		{set(`{"kty":"RSA","e":"AQAB"}`), `no "n"`},
		{set(`{"kty":"EC","crv":"P-224","x":"` + x + `","y":"` + y + `"}`), "crv"},
		{set(`{"kty":"EC","crv":"P-256","x":"` + x + `"}`), `no "y"`},
		{set(`{"kty":"EC","crv":"P-256","y":"` + y + `"}`), `no "x"`},
		{set(`{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + y + `"}`), "48 bytes"},
		{set(`{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + x + `"}`), "no point on its curve"},
		{set(`{"kty":"EC","crv":"P-256","x":"` + encode(make([]byte, 32)) + `","y":"` + encode(make([]byte, 32)) + `"}`), "no point on its curve"},
		{set(`{"kty":"OKP","crv":"X25519","x":"` + x + `"}`), "crv"},
		{set(`{"kty":"OKP","crv":"Ed25519","x":"` + encode(make([]byte, 33)) + `"}`), "32 bytes, not 33"},
		{set(`{"kty":"OKP","crv":"Ed25519"}`), `no "x"`},
		{"-----BEGIN PUBLIC KEY-----\nAAAA", "damaged PEM"},
		{string(block("PUBLIC KEY", []byte("nonsense"))), "PEM block 1"},
		{string(block("CERTIFICATE", []byte("nonsense"))), "PEM block 1"},
		{string(block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(weak))), "1024 bits is too weak"},
		{string(block("PUBLIC KEY", pkix(t, &p224.PublicKey))), "P-224"},
		{string(block("PRIVATE KEY", private)), "private key"},
		{string(block("EC PARAMETERS", private)), "unknown type"},
	} {
		v := New(Settings{})
		err := v.LoadKeys([]byte(c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: error %v, want one with %q", c.content, err, c.want)
		}
		expect(t, c.content, v, s.token(t, "HS256", claims("")), NoKeys)
	}
	x25519, err := ecdh.X25519().NewPublicKey(randomBytes(32))
	if err != nil {
		t.Fatal(err)
	}
	err = New(Settings{}).LoadKeys(block("PUBLIC KEY", pkix(t, x25519)))
	if err == nil || !strings.Contains(err.Error(), "of a kind that signs no tokens") {
		t.Errorf("a key for X25519: %v", err)
	}
}

// TestSetSkips: a set keeps working for those who know other kinds of keys.
func TestSetSkips(t *testing.T) {
	s := testSigners(t)
	content := set(`{"kty":"AKP","alg":"ML-DSA-44"}`, s.jwk("HS256", ""), s.jwk("RS256", `,"use":"enc"`), s.jwk("ES256", `,"x5c":["AA"],"custom":{}`))
	keys, skipped, err := parseKeys([]byte(content), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 || !keys[0].fits("ES256") {
		t.Errorf("%d keys", len(keys))
	}
	want := `keys[0]: a kty that is unknown here: there are RSA, EC, OKP and oct; keys[1]: a secret that the server tells everybody; keys[2]: it is not for signatures`
	if got := strings.Join(skipped, "; "); got != want {
		t.Errorf("skipped %s", got)
	}
	// In a file, a secret is as good as any.
	if keys, _, err := parseKeys([]byte(content), false); err != nil || len(keys) != 2 {
		t.Errorf("from a file: %d keys, %v", len(keys), err)
	}
}

func TestSecret(t *testing.T) {
	s := testSigners(t)
	v := New(Settings{})
	if err := v.SetSecret(string(s.secret)); err != nil {
		t.Fatal(err)
	}
	expect(t, "HS512", v, s.token(t, "HS512", claims("")), Verified)
	// What a secret is too short for it does not verify.
	for length, most := range map[int]int{32: 0, 47: 0, 48: 1, 63: 1, 64: 2, 200: 2} {
		short := &signers{secret: []byte(strings.Repeat("s", length))}
		v := New(Settings{})
		if err := v.SetSecret(string(short.secret)); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"HS256", "HS384", "HS512"} {
			want := Verified
			if i > most {
				want = Algorithm
			}
			expect(t, fmt.Sprintf("%s with %d bytes", name, length), v, short.token(t, name, claims("")), want)
		}
	}
	for _, text := range []string{"", "\n", "hunter2", strings.Repeat("x", 31)} {
		err := New(Settings{}).SetSecret(text)
		if err == nil || text != "" && text != "\n" && strings.Contains(err.Error(), strings.TrimSpace(text)) {
			t.Errorf("secret %q: error %v", text, err)
		}
	}
}

// TestNewKeysForgetTokens: what old keys verified says nothing any more, and a damaged set changes nothing.
func TestNewKeysForgetTokens(t *testing.T) {
	s := testSigners(t)
	next := &signers{secret: []byte(strings.Repeat("next secret ", 6))}
	v := verifier(t, Settings{}, s.jwk("HS256", ""))
	old, young := s.token(t, "HS256", claims("")), next.token(t, "HS256", claims(""))
	expect(t, "old token", v, old, Verified)
	expect(t, "new token", v, young, Signature)
	if err := v.LoadKeys([]byte(`{"keys":[{"kty":"oct"}]}`)); err == nil {
		t.Error("a set without a key was accepted")
	}
	expect(t, "old token after a damaged set", v, old, Verified)
	if err := v.LoadKeys([]byte(set(next.jwk("HS256", "")))); err != nil {
		t.Fatal(err)
	}
	expect(t, "old token, new keys", v, old, Signature)
	expect(t, "new token, new keys", v, young, Verified)
	// A secret beside them changes nothing about them.
	if err := v.SetSecret(string(s.secret)); err != nil {
		t.Fatal(err)
	}
	expect(t, "old token, both", v, old, Verified)
	expect(t, "new token, both", v, young, Verified)
}
