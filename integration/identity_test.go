package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const tokenSecret = "a secret of thirty-two bytes, or more"

// claims are those of a token that is right, with changes: nil takes a claim away.
func claims(changes map[string]any) jwt.MapClaims {
	all := jwt.MapClaims{
		"iss": "https://login.example", "aud": "shop", "sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "role": "user",
	}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// signed is a token, with a kid unless that is empty. Keys of the wrong kind for the method are for the caller to avoid.
func signed(method jwt.SigningMethod, key any, kid string, changes map[string]any) string {
	token := jwt.NewWithClaims(method, claims(changes))
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return text
}

// bySecret is a token that tokenSecret verifies.
func bySecret(changes map[string]any) string {
	return signed(jwt.SigningMethodHS256, []byte(tokenSecret), "", changes)
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// members is a checkout that reads tokens.
func members(how gateway.JWT, rules ...gateway.Rule) gateway.Rollout {
	r := checkout(rules...)
	how.Issuer, how.Audience = "https://login.example", []string{"basket", "shop"}
	r.JWT = how
	return r
}

var admins = rule("admins", `claim("role") == "admin"`)

var identityScenarios = []scenario{
	{
		name: "claims decide",
		site: site(members(gateway.JWT{Secret: tokenSecret},
			admins,
			rule("groups", `claim("groups").has("beta, all")`),
			rule("roles", `claim("realm_access.roles").has("staff")`),
			rule("orders", `claim("orders") >= 10`),
			rule("verified", `claim("verified") == true`),
			rule("scope", `claim("scope").has("canary")`),
			rule("named", `claim("https://shop.example/tier") == "gold"`),
		)),
		exchanges: []exchange{
			{Request: get(), want: "stable split"},
			{Request: get(bearer(bySecret(nil))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"role": "admin"}))), want: "canary rule:admins"},
			{Request: get(bearer(bySecret(map[string]any{"role": "admin", "aud": []string{"x", "basket"}}))), want: "canary rule:admins"},
			{Request: get(bearer(bySecret(map[string]any{"role": []string{"admin", "user"}}))), want: "canary rule:admins"},
			{Request: get(bearer(bySecret(map[string]any{"groups": []string{"x", "beta, all"}}))), want: "canary rule:groups"},
			{Request: get(bearer(bySecret(map[string]any{"groups": []string{"beta", "all"}}))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"realm_access": map[string]any{"roles": []string{"user", "staff"}}}))), want: "canary rule:roles"},
			{Request: get(bearer(bySecret(map[string]any{"realm_access": "staff"}))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"orders": 10}))), want: "canary rule:orders"},
			{Request: get(bearer(bySecret(map[string]any{"orders": 9.5}))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"orders": "ten"}))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"verified": true}))), want: "canary rule:verified"},
			{Request: get(bearer(bySecret(map[string]any{"verified": false}))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"scope": "read canary"}))), want: "canary rule:scope"},
			{Request: get(bearer(bySecret(map[string]any{"scope": "canary-not"}))), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"https://shop.example/tier": "gold"}))), want: "canary rule:named"},
			{Request: get("authorization: bearer " + bySecret(map[string]any{"role": "admin"})), want: "canary rule:admins"},
			{Request: get("Authorization: Basic " + bySecret(map[string]any{"role": "admin"})), want: "stable split"},
			{Request: get("Cookie: session=" + bySecret(map[string]any{"role": "admin"})), want: "stable split"},
		},
	},
	{
		name: "tokens from a cookie",
		site: site(members(gateway.JWT{Secret: tokenSecret, From: []string{`header("X-Token")`, `cookie("session")`}}, admins)),
		exchanges: []exchange{
			{Request: get("Cookie: a=b; session=" + bySecret(map[string]any{"role": "admin"})), want: "canary rule:admins"},
			{Request: get("X-Token: " + bySecret(map[string]any{"role": "admin"})), want: "canary rule:admins"},
			{Request: get("X-Token: "+bySecret(nil), "Cookie: session="+bySecret(map[string]any{"role": "admin"})), want: "stable split"},
			{Request: get(bearer(bySecret(map[string]any{"role": "admin"}))), want: "stable split"},
		},
	},
	{name: "users are who their token says", site: site(members(gateway.JWT{Secret: tokenSecret})), tidy: true, run: expectUsersByToken},
	{name: "tokens that are not right have no claims", site: site(checkout()), run: expectNoForgery},
	{name: "keys that are fetched", site: site(checkout()), run: expectKeys},
}

// expectUsersByToken: a user has one place, whatever else the token says, and nobody takes another's by a forged one.
func expectUsersByToken(t *testing.T, g *gateway.Gateway) {
	r := members(gateway.JWT{Secret: tokenSecret})
	r.Variants[1].Weight = "50%"
	r.Key = []string{`claim("sub")`, `header("X-User")`}
	g.Reload(t, site(r))
	seen := make(map[string]int)
	for i := range 24 {
		user := fmt.Sprint("user", i)
		byHeader := g.Get(t, "/", "X-User: "+user).Backend()
		seen[byHeader]++
		for _, header := range [][]string{
			{bearer(bySecret(map[string]any{"sub": user}))},
			{bearer(bySecret(map[string]any{"sub": user, "role": "other"})), "X-User: somebody else"},
			{bearer(bySecret(map[string]any{"sub": "somebody else", "iss": "https://evil.example"})), "X-User: " + user},
		} {
			if got := g.Get(t, "/", header...).Backend(); got != byHeader {
				t.Errorf("%s gets %s by %.60q, and %s by name", user, got, header, byHeader)
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("all users got the same variant: %v", seen)
	}
}

// keyServer serves a set of keys that a test changes.
type keyServer struct {
	*httptest.Server
	mu   sync.Mutex
	keys []jose.JSONWebKey
}

func newKeyServer(t *testing.T, keys ...jose.JSONWebKey) *keyServer {
	t.Helper()
	k := &keyServer{keys: keys}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		fmt.Fprintf(w, `{"keys":[`)
		for i, key := range k.keys {
			text, err := key.MarshalJSON()
			if err != nil {
				t.Error(err)
			}
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, "%s", text)
		}
		fmt.Fprintf(w, `]}`)
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *keyServer) set(keys ...jose.JSONWebKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
}

func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// expectVariant sends a token until it leads to a variant.
func expectVariant(t *testing.T, g *gateway.Gateway, what, token, variant string) {
	t.Helper()
	gateway.Eventually(t, what, func() bool { return g.Get(t, "/", bearer(token)).Backend() == variant })
}

// expectNoForgery sends every attack on a token in RFC 8725, and more, as an admin.
func expectNoForgery(t *testing.T, g *gateway.Gateway) {
	key, other, elliptic := newRSA(t), newRSA(t), newECDSA(t)
	server := newKeyServer(t, jose.JSONWebKey{Key: key.Public(), KeyID: "1", Use: "sig"}, jose.JSONWebKey{Key: elliptic.Public(), KeyID: "2", Algorithm: "ES256"})
	g.Reload(t, site(members(gateway.JWT{JWKS: server.URL, Secret: tokenSecret, Leeway: "5s"}, admins, rule("unknown", `claim("role").exists() && claim("role") != "user"`))))
	admin := map[string]any{"role": "admin"}
	right := signed(jwt.SigningMethodRS256, key, "1", admin)
	expectVariant(t, g, "the keys are fetched", right, "canary")
	expectVariant(t, g, "the other kind of key", signed(jwt.SigningMethodES256, elliptic, "2", admin), "canary")
	expectVariant(t, g, "the secret", bySecret(admin), "canary")

	pkix, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	with := func(name string, value any) map[string]any { return map[string]any{"role": "admin", name: value} }
	now := time.Now()
	parts := strings.Split(right, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	mac := func(secret []byte, header, payload string) string {
		h := hmac.New(sha256.New, secret)
		input := encode(header) + "." + encode(payload)
		h.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	payload := fmt.Sprintf(`{"iss":"https://login.example","aud":"shop","role":"admin","exp":%d}`, now.Add(time.Hour).Unix())
	expectVariant(t, g, "a token made by hand", mac([]byte(tokenSecret), `{"alg":"HS256"}`, payload), "canary")
	for name, token := range map[string]string{
		"a forged role":                     parts[0] + "." + encode(payload) + "." + parts[2],
		"signed by somebody":                signed(jwt.SigningMethodRS256, other, "1", admin),
		"signed by somebody, with no kid":   signed(jwt.SigningMethodRS256, other, "", admin),
		"a kid that is unknown":             signed(jwt.SigningMethodRS256, key, "3", admin),
		"the kid of another key":            signed(jwt.SigningMethodRS256, key, "2", admin),
		"a kid that is empty":               mac([]byte(tokenSecret), `{"alg":"HS256","kid":""}`, payload),
		"a kid that is a path":              mac([]byte{}, `{"alg":"HS256","kid":"/dev/null"}`, payload),
		"none":                              signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", admin),
		"none, with a signature":            encode(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"None":                              encode(`{"alg":"None"}`) + "." + parts[1] + ".",
		"the public key as the secret":      signed(jwt.SigningMethodHS256, public, "1", admin),
		"the public key, trimmed":           signed(jwt.SigningMethodHS256, []byte(strings.TrimSpace(string(public))), "", admin),
		"the modulus as the secret":         signed(jwt.SigningMethodHS256, key.N.Bytes(), "1", admin),
		"an empty secret":                   signed(jwt.SigningMethodHS256, []byte{}, "", admin),
		"an algorithm beyond the secret":    signed(jwt.SigningMethodHS512, []byte(tokenSecret), "", admin),
		"expired":                           signed(jwt.SigningMethodRS256, key, "1", with("exp", now.Add(-time.Minute).Unix())),
		"without expiry":                    signed(jwt.SigningMethodRS256, key, "1", with("exp", nil)),
		"an expiry that is a text":          signed(jwt.SigningMethodRS256, key, "1", with("exp", "9999999999")),
		"an expiry beyond all times":        signed(jwt.SigningMethodRS256, key, "1", with("exp", 1e300)),
		"not yet valid":                     signed(jwt.SigningMethodRS256, key, "1", with("nbf", now.Add(time.Hour).Unix())),
		"issued in the future":              signed(jwt.SigningMethodRS256, key, "1", with("iat", now.Add(time.Hour).Unix())),
		"another issuer":                    signed(jwt.SigningMethodRS256, key, "1", with("iss", "https://login.example.evil.example")),
		"no issuer":                         signed(jwt.SigningMethodRS256, key, "1", with("iss", nil)),
		"another audience":                  signed(jwt.SigningMethodRS256, key, "1", with("aud", []string{"shop2", "bank"})),
		"no audience":                       signed(jwt.SigningMethodRS256, key, "1", with("aud", nil)),
		"a role twice":                      mac([]byte(tokenSecret), `{"alg":"HS256"}`, strings.Replace(payload, `"role"`, `"role":"user","role"`, 1)),
		"an algorithm twice":                mac([]byte(tokenSecret), `{"alg":"none","alg":"HS256"}`, payload),
		"crit":                              mac([]byte(tokenSecret), `{"alg":"HS256","crit":["exp"]}`, payload),
		"b64":                               mac([]byte(tokenSecret), `{"alg":"HS256","b64":false}`, payload),
		"a key that it brings along":        mac([]byte(tokenSecret), `{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`, payload),
		"a token in a token":                mac([]byte(tokenSecret), `{"alg":"HS256","cty":"JWT"}`, payload),
		"encrypted":                         right + ".AAAA.AAAA",
		"padded":                            right + "=",
		"two tokens":                        right + " " + right,
		"longer than 16 KiB":                signed(jwt.SigningMethodRS256, key, "1", with("pad", strings.Repeat("x", 12<<10))), // in base64
		"no token":                          "x",
		"dots":                              "..",
		"not UTF-8":                         mac([]byte(tokenSecret), `{"alg":"HS256"}`, strings.Replace(payload, "admin", "admin\xff", 1)),
		"a payload that is no object":       mac([]byte(tokenSecret), `{"alg":"HS256"}`, `["admin"]`),
		"more after the payload":            mac([]byte(tokenSecret), `{"alg":"HS256"}`, payload+"{}"),
		"a signature that is half as long":  parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])/4*2],
		"the signature of another ES256":    signed(jwt.SigningMethodES256, newECDSA(t), "2", admin),
		"the key of ES256 with a wrong kid": signed(jwt.SigningMethodES256, elliptic, "1", admin),
	} {
		a := g.Get(t, "/", bearer(token))
		if a.Backend() != "stable" || a.Status != http.StatusOK {
			t.Errorf("%s: %s answers %d", name, a.Backend(), a.Status)
		}
	}
	expectVariant(t, g, "the right token, after all", right, "canary")
	for _, hush := range []string{parts[2][:40], tokenSecret} {
		if strings.Contains(g.Log(), hush) {
			t.Errorf("the log shows %q", hush)
		}
	}
}

// expectKeys exchanges keys while the gateway runs, and takes their server away.
func expectKeys(t *testing.T, g *gateway.Gateway) {
	first, second := newRSA(t), newECDSA(t)
	admin := map[string]any{"role": "admin"}
	server := newKeyServer(t, jose.JSONWebKey{Key: first.Public(), KeyID: "first"})
	r := members(gateway.JWT{JWKS: server.URL + "/keys"}, admins)
	g.Reload(t, site(r))
	byFirst, bySecond := signed(jwt.SigningMethodPS256, first, "first", admin), signed(jwt.SigningMethodES256, second, "second", admin)
	expectVariant(t, g, "the first key is fetched", byFirst, "canary")
	if got := g.Get(t, "/", bearer(signed(jwt.SigningMethodRS256, first, "first", nil))).Backend(); got != "stable" {
		t.Errorf("a user who is no admin gets %s", got)
	}

	server.set(jose.JSONWebKey{Key: first.Public(), KeyID: "first"}, jose.JSONWebKey{Key: second.Public(), KeyID: "second"})
	expectVariant(t, g, "the second key is fetched when a token names it", bySecond, "canary")
	expectVariant(t, g, "the first key is there too", byFirst, "canary")

	server.Close()
	for range 3 {
		if got := g.Get(t, "/", bearer(signed(jwt.SigningMethodES256, second, "second", map[string]any{"role": "admin", "jti": rand.Text()}))).Backend(); got != "canary" {
			t.Errorf("with the server away, a new token leads to %s", got)
		}
	}
	// A reload finds no server, and has the keys all the same.
	r.Variants[1].Weight = "0.01%"
	g.Reload(t, site(r))
	for range 3 {
		if got := g.Get(t, "/", bearer(byFirst)).Backend(); got != "canary" {
			t.Errorf("after a reload with the server away, a token leads to %s", got)
		}
	}
}

// authenticationScenarios are about users whom the gateway itself signs in.
var authenticationScenarios = []scenario{
	{
		name: "users whom Caddy signed in", only: "caddy", because: "Traefik has no placeholders: a header that its authentication sets is read there",
		site: gateway.Site{Verbatim: `{{site}} {
			{{probe "checkout"}}
			basic_auth {
				ada $2a$04$08q.ud0qJbkD1hsbcAQTKeevnrC7.id/wM.XNhF76gz8FFZv2iAge
				bob $2a$04$08q.ud0qJbkD1hsbcAQTKeevnrC7.id/wM.XNhF76gz8FFZv2iAge
			}
			rollout checkout {
				variant stable {{upstream "stable"}}
				variant canary {{upstream "canary"}}
				rule staff canary ` + "`placeholder(\"http.auth.user.id\").in(\"ada\", \"grace\")`" + `
			}
		}`},
		run: func(t *testing.T, g *gateway.Gateway) {
			for credentials, want := range map[string]string{"ada:secret": "canary 200", "bob:secret": "stable 200", "ada:wrong": " 401", "grace:secret": " 401", "": " 401"} {
				a := g.Get(t, "/", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
				if got := fmt.Sprint(a.Backend(), " ", a.Status); got != want {
					t.Errorf("%q: %s, want %s", credentials, got, want)
				}
			}
		},
	},
}
