package core

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const tokenSecret = "a secret of thirty-two bytes or so"

// signed is a token with these claims, each after a comma, that holds for an hour.
func signed(secret, claims string) string {
	payload := fmt.Sprintf(`{"exp":%d%s}`, time.Now().Add(time.Hour).Unix(), claims)
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// withTokens is a rollout that reads tokens, with one rule.
func withTokens(when string) Config {
	config := checkout()
	config.JWT = JWT{Secret: tokenSecret, Issuer: "me"}
	config.Rules = []Rule{{Name: "members", Use: "canary", When: when}}
	return config
}

func TestClaimsDecide(t *testing.T) {
	all := `,"iss":"me","role":"admin","level":3,"beta":true,"groups":["staff","a, b","Beta"],"realm":{"roles":["x"]},"scope":"read write","empty":""`
	for _, c := range []struct {
		when string
		want bool
	}{
		{`claim("role") == "admin"`, true},
		{`claim("role") == "Admin"`, false},
		{`claim("role") != "admin"`, false},
		{`claim("role").in("user", "admin")`, true},
		{`claim("role").hasPrefix("adm")`, true},
		{`claim("role").has("admin")`, true},
		{`claim("role").has("adm")`, false},
		{`claim("level") >= 3`, true},
		{`claim("level") > 3`, false},
		{`claim("role") < 3`, false},
		{`claim("beta") == true`, true},
		{`claim("beta") == "true"`, true},
		{`claim("groups").has("staff")`, true},
		{`claim("groups").has("a, b")`, true},
		{`claim("groups").has("a")`, false},
		{`claim("groups").has("beta")`, false},
		{`claim("groups").lower().has("beta")`, true},
		{`claim("groups") == "staff"`, true}, // the first
		{`claim("realm.roles").has("x")`, true},
		{`claim("realm").exists() && claim("realm") == ""`, true},
		{`claim("scope").has("write")`, true},
		{`claim("scope") == "read write"`, true},
		{`claim("empty").exists() && claim("empty") == ""`, true},
		{`claim("missing").exists()`, false},
		{`claim("missing") == ""`, true},
		{`claim("missing").has("x")`, false},
		{`!claim("missing").exists() && claim("role") == "admin" && header("X-User") == "u1"`, true},
	} {
		e := compile(t, withTokens(c.when), nil, Host{})
		got := decided(e, "X-User: u1", "Authorization: Bearer "+signed(tokenSecret, all))
		if strings.Contains(got, "by rule") != c.want {
			t.Errorf("%s: %s", c.when, got)
		}
	}
}

func TestOnlyVerifiedTokensHaveClaims(t *testing.T) {
	live := NewLive()
	e := compile(t, withTokens(`claim("role").exists()`), live, Host{})
	good := signed(tokenSecret, `,"iss":"me","role":"admin"`)
	for _, c := range []struct {
		header string
		want   bool
	}{
		{"Authorization: Bearer " + good, true},
		{"Authorization: bearer   " + good + " ", true},
		{"Authorization: " + good, false},
		{"Authorization: Basic " + good, false},
		{"Authorization: Bearer", false},
		{"Authorization: Bearer ", false},
		{"Cookie: session=" + good, false},
		{"Authorization: Bearer " + good + "A", false},
		{"Authorization: Bearer " + signed("another secret of thirty-two bytes", `,"iss":"me","role":"admin"`), false},
		{"Authorization: Bearer " + signed(tokenSecret, `,"iss":"you","role":"admin"`), false},
		{"Authorization: Bearer " + signed(tokenSecret, `,"iss":"me","role":"admin","nbf":99999999999`), false},
		{"Authorization: Bearer x", false},
	} {
		got := decided(e, "X-User: u1", c.header)
		if strings.Contains(got, "by rule members") != c.want {
			t.Errorf("%s: %s", c.header, got)
		}
	}
	if got := fmt.Sprint(live.RefusedTokens()); got != "[{malformed 1} {signature 2} {issuer 1} {not_yet_valid 1}]" {
		t.Errorf("refused %s", got)
	}
	if e.live.Faults() != 0 {
		t.Errorf("%d faults", e.live.Faults())
	}
}

// TestTokensFromElsewhere: the first source that holds a token counts.
func TestTokensFromElsewhere(t *testing.T) {
	config := withTokens(`claim("role") == "admin"`)
	config.JWT.From = []string{`header("Authorization")`, `cookie("session")`, `query("token")`}
	e := compile(t, config, nil, Host{})
	admin, user := signed(tokenSecret, `,"iss":"me","role":"admin"`), signed(tokenSecret, `,"iss":"me","role":"user"`)
	for _, c := range []struct {
		headers []string
		want    bool
	}{
		{[]string{"Authorization: Bearer " + admin}, true},
		{[]string{"Authorization: " + admin}, true}, // whoever names a source may have it without a scheme
		{[]string{"Cookie: session=" + admin}, true},
		{[]string{"Cookie: session=\"" + admin + "\""}, true},
		{[]string{"Authorization: Basic dXNlcg==", "Cookie: session=" + admin}, true},
		{[]string{"Authorization: Bearer " + user, "Cookie: session=" + admin}, false},
		{[]string{"Authorization: Bearer forged", "Cookie: session=" + admin}, false},
		{[]string{"Cookie: other=" + admin}, false},
	} {
		if got := decided(e, append(c.headers, "X-User: u1")...); strings.Contains(got, "by rule") != c.want {
			t.Errorf("%v: %s", c.headers, got)
		}
	}
}

// TestClaimIsKey: users keep their slot whatever their token, and those without a token have the next key.
func TestClaimIsKey(t *testing.T) {
	config := withTokens(`claim("role") == "admin"`)
	config.Key = []string{`claim("sub")`, `header("X-User")`}
	e := compile(t, config, nil, Host{})
	byHeader := compile(t, checkout(), nil, Host{})
	for i := 0; i < 50; i++ {
		user := fmt.Sprint("user-", i)
		want := decided(byHeader, "X-User: "+user)
		if got := decided(e, "Authorization: Bearer "+signed(tokenSecret, fmt.Sprintf(`,"iss":"me","sub":%q,"n":%d`, user, i))); got != want {
			t.Errorf("%s by its token: %s, want %s", user, got, want)
		}
		if got := decided(e, "Authorization: Bearer forged", "X-User: "+user); got != want {
			t.Errorf("%s by its header: %s, want %s", user, got, want)
		}
	}
}

func TestTokenMistakes(t *testing.T) {
	if err := os.Setenv("GRAYLING_SHORT", "hunter2"); err != nil { //nolint:usetesting // interpreted code has an environment of its own
		t.Fatal(err)
	}
	defer func() { _ = os.Unsetenv("GRAYLING_SHORT") }()
	for _, c := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"nothing", func(c *Config) {}, ""},
		{"claim() without jwt", func(c *Config) { c.JWT = JWT{} }, `rules[0].when: column 1: claim() reads verified tokens, and none are verified here: say how in jwt`},
		{"no keys", func(c *Config) { c.JWT = JWT{Issuer: "x"} }, `jwt: what are tokens verified with? Give jwks, the URL or the file of a key set, or a secret`},
		{"a typo", func(c *Config) { c.JWT.Rest = map[string]any{"jwsk": "x"} }, `jwt.jwsk: unknown key (did you mean "jwks"?)`},
		{"a short secret", func(c *Config) { c.JWT.Secret = "hunter2" }, `jwt.secret: a secret of 7 bytes can be guessed: 32 are needed for HS256, 48 for HS384, 64 for HS512`},
		{"a short secret elsewhere", func(c *Config) { c.JWT.Secret = "env:GRAYLING_SHORT" }, `jwt.secret: a secret of 7 bytes can be guessed: 32 are needed for HS256, 48 for HS384, 64 for HS512`},
		{"no secret there", func(c *Config) { c.JWT.Secret = "env:GRAYLING_NONE" }, `jwt.secret: the environment variable GRAYLING_NONE is empty`},
		{"a public key as the secret", func(c *Config) { c.JWT.Secret = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----" }, `jwt.secret: this is a key in PEM and not a secret: put it in a file, and name that as jwks`},
		{"a file that is not there", func(c *Config) { c.JWT.JWKS = "/nowhere/keys.json" }, `jwt.jwks: reading a file: stat /nowhere/keys.json: no such file or directory`},
		{"another scheme", func(c *Config) { c.JWT.JWKS = "ftp://x/keys" }, `jwt.jwks: "ftp://x/keys" is not the URL of a key set such as https://login.example/keys`},
		{"a password", func(c *Config) { c.JWT.JWKS = "https://me:hush@x/keys" }, `jwt.jwks: "https://me:xxxxx@x/keys": a name or password has no place here: a key set is public`},
		{"leeway", func(c *Config) { c.JWT.Leeway = "soon" }, `jwt.leeway: "soon" is not a duration of whole seconds such as 30s`},
		{"a fraction", func(c *Config) { c.JWT.Leeway = "1500ms" }, `jwt.leeway: "1500ms" is not a duration of whole seconds such as 30s`},
		{"too much leeway", func(c *Config) { c.JWT.Leeway = "1h" }, `jwt.leeway: 1h is too long: clocks differ by 10m0s at most`},
		{"no leeway", func(c *Config) { c.JWT.Leeway = "0s" }, ""},
		{"an empty audience", func(c *Config) { c.JWT.Audience = []string{"shop", ""} }, `jwt.audience[1]: an empty audience is none: leave it out`},
		{"from a claim", func(c *Config) { c.JWT.From = []string{`claim("x")`} }, `jwt.from[0]: column 1: claim() reads verified tokens, and none are verified here: say how in jwt`},
		{"from anywhere", func(c *Config) { c.JWT.From = []string{`random()`} }, `jwt.from[0]: random() is no token`},
		{"from a condition", func(c *Config) { c.JWT.From = []string{`cookie("a")`, `cookie("a") == "b"`} }, `jwt.from[1]: column 1: not a value: cookie("a") == "b" (write one such as header("X-Version"))`},
		{"no path", func(c *Config) { c.Rules[0].When = `claim("") == "x"` }, `rules[0].when: column 7: "" is not the path of a claim such as "role" or "realm_access.roles"`},
		{"a path with a dot too many", func(c *Config) { c.Rules[0].When = `claim("a.") == "x"` }, `rules[0].when: column 7: "a." is not the path of a claim such as "role" or "realm_access.roles"`},
		{"has nothing", func(c *Config) { c.Rules[0].When = `claim("a").has("")` }, `rules[0].when: column 16: "" can be no part of a comma-separated list`},
	} {
		config := withTokens(`claim("role") == "admin"`)
		c.change(&config)
		got := ""
		if _, err := Compile(config, nil, Host{}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
	}
	// Elsewhere than where the gateway runs there are neither secrets nor files.
	config := withTokens(`claim("role") == "admin"`)
	config.JWT.Secret, config.JWT.JWKS = "env:GRAYLING_NONE", "/nowhere/keys.json"
	if got := complaints(config, Host{}); got != "" {
		t.Errorf("checked elsewhere: %s", got)
	}
}

// TestSecretsChange: a secret in a file is exchanged while tokens come in, and a bad one is not taken.
func TestSecretsChange(t *testing.T) {
	path := t.TempDir() + "/secret"
	stamp := noon
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp = stamp.Add(time.Minute)
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	write(tokenSecret + "\n")
	config := withTokens(`claim("role") == "admin"`)
	config.JWT.Secret = "file:" + path
	var logged bytes.Buffer
	e := compile(t, config, nil, Host{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	next := strings.Repeat("next", 9)
	expect := func(what, secret string, want bool) {
		got := decided(e, "X-User: u1", "Authorization: Bearer "+signed(secret, `,"iss":"me","role":"admin"`))
		if strings.Contains(got, "by rule") != want {
			t.Errorf("%s: %s", what, got)
		}
	}
	expect("at first", tokenSecret, true)
	expect("the next secret, too early", next, false)
	write("short")
	e.files.Check(e.reread)
	expect("after a short one", tokenSecret, true)
	if !strings.Contains(logged.String(), "5 bytes can be guessed") || strings.Contains(logged.String(), "short") {
		t.Errorf("logged %s", logged.String())
	}
	write(next)
	e.files.Check(e.reread)
	expect("the next secret", next, true)
	expect("the first secret, too late", tokenSecret, false)
}

// TestKeysAreFetched in the background, and are there at once in the next configuration.
func TestKeysAreFetched(t *testing.T) {
	keys := `{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(keys)) }))
	config := withTokens(`claim("role") == "admin"`)
	config.JWT.Secret, config.JWT.JWKS = "", server.URL
	live := NewLive()
	e := compile(t, config, live, Host{})
	token := "Authorization: Bearer " + signed(tokenSecret, "")
	refused := func(e *Engine) string {
		before := fmt.Sprint(live.RefusedTokens())
		decided(e, token)
		after := fmt.Sprint(live.RefusedTokens())
		return before + " " + after
	}
	if got := refused(e); got != "[] [{no_keys 1}]" {
		t.Errorf("before the keys are there: %s", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	for i := 0; !strings.Contains(refused(e), "algorithm"); i++ { // the key is there, and not for HS256
		if i == 3000 {
			t.Fatalf("after 30 s: %s", refused(e))
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-done
	server.Close()
	next := compile(t, config, live, Host{})
	before := fmt.Sprint(live.RefusedTokens())
	decided(next, token)
	if after := fmt.Sprint(live.RefusedTokens()); before == after || strings.Split(after, "}")[0] != strings.Split(before, "}")[0] {
		t.Errorf("the next configuration does not have the keys: %s, then %s", before, after)
	}
}

// BenchmarkDecideByClaim times decisions for a user whose token was seen before.
func BenchmarkDecideByClaim(b *testing.B) {
	config := withTokens(`claim("role") == "admin"`)
	config.Key = []string{`claim("sub")`, `cookie("uid")`}
	e := compile(b, config, nil, Host{})
	r := browser()
	r.Header.Set("Authorization", "Bearer "+signed(tokenSecret, `,"iss":"me","sub":"3f2c9c5e-7b1a-4c1e-9a51-0d6f6b0f8a11","role":"user","email":"somebody@shop.example","name":"Somebody","groups":["a","b","c"],"pad":"`+strings.Repeat("x", 300)+`"`))
	if d := e.Decide(r, "203.0.113.7", noon); d.Reason != BySplit {
		b.Fatalf("decided by %s", d.Reason)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		e.Decide(r, "203.0.113.7", noon)
	}
}
