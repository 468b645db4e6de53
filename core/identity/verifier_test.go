package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
)

var names = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// everyKey is a set of all keys; tokens choose by algorithm.
func everyKey(s *signers) []string {
	return []string{s.jwk("HS256", ""), s.jwk("RS256", ""), s.jwk("ES256", ""), s.jwk("ES384", ""), s.jwk("ES512", ""), s.jwk("EdDSA", "")}
}

func TestEveryAlgorithm(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{}, everyKey(s)...)
	subject := v.Claim("sub")
	for _, made := range names {
		read := expect(t, made, v, s.token(t, made, claims("")), Verified)
		if len(read) > 0 && (len(read[subject]) != 1 || read[subject][0] != "u1") {
			t.Errorf("%s: sub is %v", made, read[subject])
		}
		// Another algorithm in the header than the one that made the signature.
		for _, said := range names {
			if said == made {
				continue
			}
			expect(t, made+" that says "+said, v, s.sign(t, made, fmt.Sprintf(`{"alg":%q}`, said), claims("")), Signature)
		}
		for _, said := range []string{"none", "None", "NONE", "", "hs256", "ES256K", "HS", "RS1", "Ed25519"} {
			expect(t, made+" that says "+said, v, s.sign(t, made, fmt.Sprintf(`{"alg":%q}`, said), claims("")), Algorithm)
		}
	}
}

// TestAlgorithmFollowsFromKey: what a key is not for, it does not verify, whatever the header says.
func TestAlgorithmFollowsFromKey(t *testing.T) {
	s := testSigners(t)
	for _, of := range names {
		v := verifier(t, Settings{}, s.jwk(of, fmt.Sprintf(`,"alg":%q`, of)))
		for _, made := range names {
			want := Algorithm
			if made == of {
				want = Verified
			}
			expect(t, made+" with the key of "+of, v, s.token(t, made, claims("")), want)
		}
	}
}

// TestKeyConfusion signs with the public key as an HMAC's secret, in every form that an attacker may have it in.
func TestKeyConfusion(t *testing.T) {
	s := testSigners(t)
	pkix, err := x509.MarshalPKIXPublicKey(&s.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	v := New(Settings{})
	if err := v.LoadKeys(public); err != nil {
		t.Fatal(err)
	}
	expect(t, "the right way", v, s.token(t, "RS256", claims("")), Verified)
	for _, secret := range [][]byte{public, []byte(strings.TrimSpace(string(public))), pkix, s.rsa.N.Bytes(), []byte(s.jwk("RS256", ""))} {
		for _, name := range []string{"HS256", "HS384", "HS512"} {
			input := encode([]byte(fmt.Sprintf(`{"alg":%q}`, name))) + "." + encode([]byte(claims("")))
			expect(t, name, v, input+"."+encode(hmacOf(secret, hashOf(name), input)), Algorithm)
		}
	}
	// And nobody can configure it.
	for _, secret := range [][]byte{public, []byte("\n" + string(public))} {
		if err := v.SetSecret(string(secret)); err == nil || !strings.Contains(err.Error(), "PEM") {
			t.Errorf("a public key as the secret: %v", err)
		}
	}
}

func TestTimes(t *testing.T) {
	s := testSigners(t)
	key := s.jwk("HS256", "")
	at := func(name string, offset int64) string { return fmt.Sprintf(`%q:%d`, name, now.Unix()+offset) }
	strict, tolerant := verifier(t, Settings{}, key), verifier(t, Settings{Leeway: time.Minute}, key)
	for _, c := range []struct {
		claims           string
		strict, tolerant Cause
	}{
		{at("exp", 1), Verified, Verified},
		{at("exp", 0), Expired, Verified}, // "on or after" which it must not be accepted
		{at("exp", -1), Expired, Verified},
		{at("exp", -59), Expired, Verified},
		{at("exp", -60), Expired, Expired},
		{at("exp", 9) + "," + at("nbf", 0), Verified, Verified},
		{at("exp", 9) + "," + at("nbf", 1), NotYetValid, Verified},
		{at("exp", 99) + "," + at("nbf", 60), NotYetValid, Verified},
		{at("exp", 99) + "," + at("nbf", 61), NotYetValid, NotYetValid},
		{at("exp", 99) + "," + at("iat", 61), NotYetValid, NotYetValid},
		{at("exp", 99) + "," + at("iat", 0), Verified, Verified},
		{`"sub":"no exp"`, Expired, Expired},
		{`"exp":0`, Expired, Expired},
		{`"exp":-1`, Expired, Expired},
		{`"exp":1800000000.9`, Expired, Verified}, // fractions are dropped
		{`"exp":1800000001.0`, Verified, Verified},
		{`"exp":1.800000001e9`, Verified, Verified},
		{`"exp":1e400`, Malformed, Malformed},
		{`"exp":1e15`, Malformed, Malformed},
		{`"exp":9223372036854775807`, Malformed, Malformed},
		{`"exp":"1800000001"`, Malformed, Malformed},
		{`"exp":null`, Malformed, Malformed},
		{`"exp":true`, Malformed, Malformed},
		{`"exp":[1800000001]`, Malformed, Malformed},
		{at("exp", 9) + `,"nbf":"0"`, Malformed, Malformed},
		{at("exp", 9) + `,"iat":{}`, Malformed, Malformed},
		{at("exp", 9) + `,"nbf":-1e15`, Malformed, Malformed},
	} {
		token := s.token(t, "HS256", "{"+c.claims+"}")
		expect(t, c.claims, strict, token, c.strict)
		expect(t, c.claims+" with leeway", tolerant, token, c.tolerant)
	}
}

func TestIssuerAndAudience(t *testing.T) {
	s := testSigners(t)
	key := s.jwk("HS256", "")
	open := verifier(t, Settings{}, key)
	closed := verifier(t, Settings{Issuer: "https://login.example", Audience: []string{"shop", "basket"}}, key)
	right := `,"iss":"https://login.example","aud":`
	for _, c := range []struct {
		claims       string
		open, closed Cause
	}{
		{``, Verified, Issuer},
		{`,"iss":"https://login.example/"`, Verified, Issuer},
		{`,"iss":""`, Verified, Issuer},
		{`,"iss":null`, Malformed, Malformed},
		{`,"iss":["https://login.example"]`, Malformed, Malformed},
		{`,"iss":"https://login.example"`, Verified, Audience},
		{right + `"shop"`, Verified, Verified},
		{right + `"Shop"`, Verified, Audience},
		{right + `["other","basket"]`, Verified, Verified},
		{right + `["other"]`, Verified, Audience},
		{right + `[]`, Verified, Audience},
		{right + `["shop",1]`, Malformed, Malformed},
		{right + `1`, Malformed, Malformed},
		{right + `null`, Malformed, Malformed},
		{right + `{"shop":true}`, Malformed, Malformed},
		{`,"jti":1`, Malformed, Malformed},
	} {
		token := s.token(t, "HS256", claims(c.claims))
		expect(t, c.claims, open, token, c.open)
		expect(t, c.claims+" if both are expected", closed, token, c.closed)
	}
	expect(t, "sub is a number", open, s.token(t, "HS256", `{"exp":1800000060,"sub":1}`), Malformed)
}

func TestHeaders(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{}, s.jwk("HS256", ""))
	for _, c := range []struct {
		header string
		want   Cause
	}{
		{`{"alg":"HS256"}`, Verified},
		{` {"alg" : "HS256"} `, Verified},
		{`{"alg":"HS256","typ":"at+jwt","cty":"json","x5t":"x","jku":"https://evil.example/keys","x5u":"https://evil.example"}`, Verified},
		{`{"alg":"HS256","kid":"any"}`, Verified}, // the key has none
		{`{"alg":"HS256","kid":""}`, Malformed},
		{`{"alg":"HS256","kid":1}`, Malformed},
		{`{"alg":"HS256","kid":null}`, Malformed},
		{`{"alg":"HS256","kid":["a"]}`, Malformed},
		{`{"alg":"HS256","kid":"a\u0000b"}`, Malformed},
		{`{"alg":"HS256","kid":"` + strings.Repeat("k", 257) + `"}`, Malformed},
		{`{"alg":"HS256","crit":["exp"],"exp":1}`, Unsupported},
		{`{"alg":"HS256","crit":[]}`, Unsupported},
		{`{"alg":"HS256","crit":null}`, Unsupported},
		{`{"alg":"HS256","b64":false}`, Unsupported},
		{`{"alg":"HS256","b64":true}`, Unsupported},
		{`{"alg":"HS256","enc":"A128GCM"}`, Unsupported},
		{`{"alg":"HS256","zip":"DEF"}`, Unsupported},
		{`{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`, Unsupported},
		{`{"alg":"HS256","cty":"JWT"}`, Unsupported},
		{`{"alg":"HS256","cty":"application/jwt"}`, Unsupported},
		{`{"alg":"HS256","cty":1}`, Malformed},
		{`{"alg":"HS256","typ":1}`, Malformed},
		{`{"alg":["HS256"]}`, Malformed},
		{`{"alg":"none","alg":"HS256"}`, Malformed},
		{`{"alg":"HS256","alg":"HS256"}`, Malformed},
		{`{"alg":"HS256","\u0061lg":"none"}`, Malformed},
		{`{"alg":"HS256","x":{"y":1,"y":2}}`, Malformed},
		{`{"ALG":"HS256"}`, Algorithm},
		{`{}`, Algorithm},
		{`[]`, Malformed},
		{`null`, Malformed},
		{`"alg"`, Malformed},
		{``, Malformed},
		{`{"alg":"HS256"}{}`, Malformed},
		{`{"alg":"HS256"} x`, Malformed},
		{"\xef\xbb\xbf" + `{"alg":"HS256"}`, Malformed},
		{`{"alg":"HS256","x":"` + "\xff" + `"}`, Malformed},
		{`{"alg":"HS256","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, Malformed},
		{`{"alg":"HS256","x":[` + strings.Repeat("1,", 99) + `1]}`, Malformed},
	} {
		expect(t, c.header, v, s.sign(t, "HS256", c.header, claims("")), c.want)
	}
}

func TestPayloads(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{}, s.jwk("HS256", ""))
	for _, payload := range []string{
		``, `null`, `[]`, `1`, `"x"`, `{`, `{"exp":1800000060}}`, `{"exp":1800000060} {}`,
		`{"exp":1,"exp":1800000060}`, `{"exp":1800000060,"role":"user","role":"admin"}`,
		`{"exp":1800000060,"a":{"role":"user","role":"admin"}}`, `{"exp":1800000060,"a":"` + "\xc3\x28" + `"}`,
		`{"exp":1800000060,"a":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`,
		`{"exp":1800000060,}`, `{"exp":NaN}`, `{"exp":1800000060,"a":1e999}`, `{"exp":1800000060,"a":[-1e999]}`, `{"exp":Infinity}`, `{"exp":0x6b49d23c}`, `{'exp':1800000060}`,
	} {
		expect(t, payload, v, s.token(t, "HS256", payload), Malformed)
	}
}

func TestForms(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{}, s.jwk("HS256", ""))
	token := s.token(t, "HS256", claims(""))
	expect(t, "as it is", v, token, Verified)
	parts := strings.Split(token, ".")
	header, payload, signature := parts[0], parts[1], parts[2]
	padded := s.token(t, "HS256", claims(`,"a":"b"`))
	for len(strings.Split(padded, ".")[1])%4 == 0 {
		padded = s.token(t, "HS256", claims(`,"a":"bc"`))
	}
	for what, c := range map[string]struct {
		token string
		want  Cause
	}{
		"empty":                   {"", Malformed},
		"one part":                {header, Malformed},
		"no signature":            {header + "." + payload, Malformed},
		"empty signature":         {header + "." + payload + ".", Signature},
		"four parts":              {token + ".", Malformed},
		"five parts":              {token + "..", Unsupported},
		"padding":                 {token + "=", Malformed},
		"a line break":            {token + "\n", Malformed},
		"a line break in between": {header + "\r\n." + payload + "." + signature, Malformed},
		"a blank":                 {" " + token, Malformed},
		"standard alphabet":       {header + "." + payload + ".+/+/" + signature[4:], Malformed},
		"a shorter signature":     {header + "." + payload + "." + signature[:len(signature)-3], Signature},
		"a longer signature":      {token + "AAAA", Signature},
		"JSON":                    {`{"payload":"` + payload + `"}`, Malformed},
		"too long":                {token + strings.Repeat("A", maxToken), TooLong},
		"another payload":         {header + "." + strings.Split(padded, ".")[1] + "." + signature, Signature},
	} {
		expect(t, what, v, c.token, c.want)
	}
	// The last character of 32 bytes in base64url holds two bits that mean nothing: there is one right way.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1])
	for bits := 1; bits < 4; bits++ {
		other := string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last+bits])
		expect(t, "stray bits", v, token[:len(token)-1]+other, Malformed)
	}
	long := s.token(t, "HS256", claims(`,"pad":"`+strings.Repeat("x", 11900)+`"`))
	if len(long) > maxToken || len(long) < maxToken-500 {
		t.Fatalf("the long token has %d bytes", len(long))
	}
	expect(t, "almost too long", v, long, Verified)
}

// TestSignatureLengths: an ECDSA signature has one length, and neither ASN.1 nor missing zeros are accepted.
func TestSignatureLengths(t *testing.T) {
	s := testSigners(t)
	for _, name := range []string{"ES256", "ES384", "ES512"} {
		v := verifier(t, Settings{}, s.jwk(name, ""))
		input := encode([]byte(fmt.Sprintf(`{"alg":%q}`, name))) + "." + encode([]byte(claims("")))
		right := s.signature(t, name, input)
		half := len(right) / 2
		asn1, err := s.curve(name).Sign(rand.Reader, digest(hashOf(name), input), hashOf(name))
		if err != nil {
			t.Fatal(err)
		}
		for i, wrong := range [][]byte{
			asn1, right[:half], right[:len(right)-1], append(append([]byte{}, right...), 0), append([]byte{0}, right...), {},
			make([]byte, len(right)),
			append(append(append([]byte{0}, right[:half]...), 0), right[half:]...), // padded halves
			append(append([]byte{}, right[half:]...), right[:half]...),             // swapped
			append(append(append([]byte{}, right[:half]...), 0), right[half:]...),  // the second half padded
		} {
			expect(t, fmt.Sprintf("%s %d", name, i), v, input+"."+encode(wrong), Signature)
		}
	}
	// PSS with a salt of another length than the hash's.
	v := verifier(t, Settings{}, s.jwk("PS256", ""))
	input := encode([]byte(`{"alg":"PS256"}`)) + "." + encode([]byte(claims("")))
	for _, salt := range []int{0, 20, 64} {
		signature, err := rsa.SignPSS(rand.Reader, s.rsa, crypto.SHA256, digest(crypto.SHA256, input), &rsa.PSSOptions{SaltLength: salt})
		if salt == 0 {
			continue // rsa.SignPSS takes 0 for "as long as can be"
		}
		if err != nil {
			t.Fatal(err)
		}
		expect(t, fmt.Sprintf("a salt of %d", salt), v, input+"."+encode(signature), Signature)
	}
}

func TestKeyIDs(t *testing.T) {
	s := testSigners(t)
	other := &signers{secret: []byte(strings.Repeat("other secret ", 6))}
	v := verifier(t, Settings{}, s.jwk("HS256", `,"kid":"a"`), other.jwk("HS256", `,"kid":"b"`))
	header := func(kid string) string { return fmt.Sprintf(`{"alg":"HS256","kid":%q}`, kid) }
	expect(t, "the right kid", v, s.sign(t, "HS256", header("a"), claims("")), Verified)
	expect(t, "the kid of another key", v, s.sign(t, "HS256", header("b"), claims("")), Signature)
	expect(t, "a kid that is unknown", v, s.sign(t, "HS256", header("c"), claims("")), UnknownKey)
	expect(t, "other case", v, s.sign(t, "HS256", header("A"), claims("")), UnknownKey)
	expect(t, "a path", v, s.sign(t, "HS256", header("../../dev/null"), claims("")), UnknownKey)
	expect(t, "none", v, s.token(t, "HS256", claims("")), Verified)
	expect(t, "none, the other key", v, other.token(t, "HS256", claims("")), Verified)
	expect(t, "none, a third key", v, (&signers{secret: []byte(strings.Repeat("third", 20))}).token(t, "HS256", claims("")), Signature)
}

func TestCounts(t *testing.T) {
	s := testSigners(t)
	m := &Memory{}
	v := New(Settings{Memory: m})
	expect(t, "no keys", v, s.token(t, "HS256", claims("")), NoKeys)
	if err := v.SetSecret(string(s.secret)); err != nil {
		t.Fatal(err)
	}
	expect(t, "with a key", v, s.token(t, "HS256", claims("")), Verified)
	expect(t, "expired", v, s.token(t, "HS256", `{"exp":1}`), Expired)
	expect(t, "expired", v, s.token(t, "HS256", `{"exp":1}`), Expired)
	expect(t, "nonsense", v, "a.b.c", Malformed)
	want := []Refused{{NoKeys, 1}, {Malformed, 1}, {Expired, 2}}
	got := m.Refused()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("refused %v, want %v", got, want)
	}
	// Another configuration of the same rollout goes on counting.
	next := New(Settings{Memory: m})
	expect(t, "no keys again", next, "a.b.c", NoKeys)
	if got := m.Refused(); got[0] != (Refused{NoKeys, 2}) {
		t.Errorf("refused %v after the next configuration", got)
	}
}
