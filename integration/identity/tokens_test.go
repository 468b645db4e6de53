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
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// algorithms with how many tokens are written and how many mutated: what is slow to sign or verify gets fewer.
var algorithms = []struct {
	name             string
	written, mutated int
}{
	{"HS256", 12000, 6000}, {"HS384", 3000, 2000}, {"HS512", 3000, 2000},
	{"RS256", 1500, 2500}, {"RS384", 500, 1000}, {"RS512", 500, 1000},
	{"PS256", 1500, 2500}, {"PS384", 500, 1000}, {"PS512", 500, 1000},
	{"ES256", 3000, 2500}, {"ES384", 300, 300}, {"ES512", 100, 150},
	{"EdDSA", 3000, 2500},
}

// seed is what a run's choices follow from, though not its keys.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("GRAYLING_SEED")
	n, err := strconv.ParseUint(text, 10, 64)
	if text == "" {
		n = uint64(time.Now().UnixNano())
	} else if err != nil {
		t.Fatalf("GRAYLING_SEED=%s: %v", text, err)
	}
	t.Logf("GRAYLING_SEED=%d", n)
	return n
}

// signer signs with one algorithm.
type signer struct {
	algorithm string
	fits      []string // algorithms that its key fits
	private   any
	public    any // the secret of an HMAC
}

func newSigner(t *testing.T, algorithm string) *signer {
	t.Helper()
	s := &signer{algorithm: algorithm}
	var err error
	switch algorithm[:2] {
	case "HS":
		secret := make([]byte, 64)
		_, err = rand.Read(secret)
		s.private, s.public, s.fits = secret, secret, []string{"HS256", "HS384", "HS512"}
	case "RS", "PS":
		var key *rsa.PrivateKey
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err == nil {
			s.private, s.public = key, key.Public()
		}
		s.fits = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case "ES":
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[algorithm]
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.GenerateKey(curve, rand.Reader); err == nil {
			s.private, s.public = key, key.Public()
		}
		s.fits = []string{algorithm}
	default:
		s.public, s.private, err = ed25519.GenerateKey(rand.Reader)
		s.fits = []string{algorithm}
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// header is what a token says of itself, and how it is signed: these need not agree.
type header struct {
	text string
	salt int // of PSS
}

func (s *signer) sign(t *testing.T, h header, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(h.text)) + "." + encode([]byte(claims))
	signature, err := s.signature(input, h.salt)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(signature)
}

func (s *signer) signature(input string, salt int) ([]byte, error) {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[s.algorithm[2:]]
	sum := func() []byte {
		h := hash.New()
		h.Write([]byte(input))
		return h.Sum(nil)
	}
	switch key := s.private.(type) {
	case []byte:
		mac := hmac.New(hash.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil), nil
	case *rsa.PrivateKey:
		if s.algorithm[:2] == "RS" {
			return rsa.SignPKCS1v15(rand.Reader, key, hash, sum())
		}
		return rsa.SignPSS(rand.Reader, key, hash, sum(), &rsa.PSSOptions{SaltLength: salt})
	case *ecdsa.PrivateKey:
		r, v, err := ecdsa.Sign(rand.Reader, key, sum())
		if err != nil {
			return nil, err
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...), nil
	}
	return ed25519.Sign(s.private.(ed25519.PrivateKey), []byte(input)), nil
}

func pick(random *mathrand.Rand, texts []string) string { return texts[random.IntN(len(texts))] }

// oddHeaders are members beside "alg", most of them wrong in some way.
var oddHeaders = []string{
	`,"typ":"JWT"`, `,"typ":"at+jwt","cty":"json"`, `,"typ":7`, `,"cty":"JWT"`, `,"cty":"application/JWT"`, `,"cty":false`, `,"typ":null`,
	`,"kid":"a"`, `,"kid":""`, `,"kid":7`, `,"kid":null`, `,"kid":"a\u0000"`, `,"kid":"` + strings.Repeat("k", 300) + `"`,
	`,"crit":["exp"],"exp":1`, `,"crit":["b64"],"b64":true`, `,"crit":[]`, `,"b64":false`, `,"b64":true`, `,"enc":"A128GCM"`, `,"zip":"DEF"`,
	`,"jku":"https://evil.example/keys"`, `,"x5u":"https://evil.example/"`, `,"x5t":"x"`, `,"x":{"y":[1,2]}`,
	`,"jwk":{"kty":"oct","k":"AAAA"}`, `,"jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	`,"alg":"none"`, `,"x":1,"x":2`, `,"x":{"y":1,"y":2}`, `,"\u0061lg":"HS256"`, `,"x":"` + "\xff" + `"`, `,"x":"\ud800"`,
	`,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), `,"x":[` + strings.Repeat("0,", 90) + `0]`, `,`, `}{`, ` `,
}

func writeHeader(random *mathrand.Rand, s *signer) header {
	algorithm := s.algorithm
	if random.IntN(12) == 0 {
		algorithm = pick(random, []string{"none", "None", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES512", "EdDSA", "hs256"})
	}
	h := header{text: fmt.Sprintf(`{"alg":%q`, algorithm), salt: rsa.PSSSaltLengthEqualsHash}
	if random.IntN(3) == 0 {
		h.text += pick(random, oddHeaders)
	}
	if random.IntN(20) == 0 {
		h.salt = pick2(random, 8, 20)
	}
	h.text += "}"
	return h
}

func pick2(random *mathrand.Rand, a, b int) int {
	if random.IntN(2) == 0 {
		return a
	}
	return b
}

// The claims that matter, right and wrong.
var (
	expiries   = []string{`1800000300`, `1800000001`, `1800000000`, `1799999971`, `1799999970`, `1799999969`, `1700000000`, `0`, `-1`, `1800000300.7`, `1.8000003e9`, `1e13`, `1e300`, `1e400`, `"1800000300"`, `null`, `true`, `{}`, `9223372036854775808`}
	beginnings = []string{`1799999999`, `1800000000`, `1800000029`, `1800000030`, `1800000031`, `1900000000`, `0`, `-5`, `-1e13`, `1800000030.9`, `"0"`, `null`, `[]`}
	issuers    = []string{`"https://login.example/"`, `"https://evil.example"`, `""`, `null`, `7`, `["https://login.example"]`, `"https:\/\/login.example"`, `"HTTPS://login.example"`}
	audiences  = []string{`["x","shop"]`, `["other"]`, `["x"]`, `[]`, `"Shop"`, `""`, `null`, `7`, `["shop",7]`, `{"shop":1}`, `["shop",null]`, `"\u0073hop"`}
	oddClaims  = []string{`,"role":"user"`, `,"role":"\ud800"`, `,"role":"` + "\xc3\x28" + `"`, `,"sub":7`, `,"sub":null`, `,"jti":7`, `,"jti":null`, `,"jti":"1"`, `,"x":{"y":1,"y":2}`, `,"EXP":1`, `,"Iss":"x"`,
		`,"groups":["a","b"],"n":12345678901234567890`, `,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), `,"x":[` + strings.Repeat("0,", 200) + `0]`, `,"x":1e999`, `,`, `}}`, `,"` + strings.Repeat("x", 13000) + `":1`, `,"":0`, `,"x":"\u0000"`}
)

// writeClaims writes claims that are right, except for a few.
func writeClaims(random *mathrand.Rand) string {
	expiry, issuedBy, intended, more := `"exp":1800000300`, `"https://login.example"`, `"shop"`, ""
	switch random.IntN(7) {
	case 0:
		expiry = `"exp":` + pick(random, expiries)
	case 1:
		issuedBy = pick(random, issuers)
	case 2:
		intended = pick(random, audiences)
	case 3:
		more = pick(random, []string{`,"nbf":`, `,"iat":`}) + pick(random, beginnings)
	case 4:
		more = pick(random, oddClaims)
	case 5:
		expiry = pick(random, []string{`"x":0`, expiry, expiry, expiry})
		more = pick(random, []string{"", `,"exp":1800000300`, `,"iss":"https://login.example"`, `,"role":"admin","role":"user"`})
	}
	return fmt.Sprintf(`{%s,"iss":%s,"aud":%s,"sub":"user %d","role":%q%s}`, expiry, issuedBy, intended, random.IntN(1000),
		pick(random, []string{"admin", "user", "Zoë ✓", `a"b\c`, ""}), more)
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// mutate changes a token without signing it anew.
func mutate(random *mathrand.Rand, pool []string) string {
	token := pick(random, pool)
	at := random.IntN(len(token))
	parts := strings.Split(token, ".")
	other := strings.Split(pick(random, pool), ".")
	switch random.IntN(12) {
	case 0: // one character
		return token[:at] + string(alphabet[random.IntN(64)]) + token[at+1:]
	case 1: // the last character of a part, where bits may be left over
		i := random.IntN(3)
		parts[i] = parts[i][:max(len(parts[i])-1, 0)] + string(alphabet[random.IntN(64)])
	case 2:
		return token[:at] + token[at+1:]
	case 3:
		return token[:at] + pick(random, []string{"A", ".", "=", "\n", "\r\n", " ", "\x00", "ä", "+"}) + token[at:]
	case 4:
		return token[:at]
	case 5:
		return token + pick(random, []string{"=", "==", "\n", " ", ".", "..", ".AAAA", "A", "AAAA"})
	case 6: // parts of another token
		parts[random.IntN(3)] = other[random.IntN(3)]
	case 7:
		parts[2] = ""
	case 8:
		parts[0] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	case 9: // signed for as it is, but spelled otherwise
		parts[2] = parts[2][:len(parts[2])/2] + "\n" + parts[2][len(parts[2])/2:]
	case 10:
		parts[1] = base64.URLEncoding.EncodeToString([]byte(writeClaims(random)))
	case 11:
		return strings.ToUpper(token[:at]) + token[at:]
	}
	return strings.Join(parts, ".")
}
