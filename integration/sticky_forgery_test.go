package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// sealing is what a cookie of docs/stickiness.md is made of, apart from the engine on purpose.
type sealing struct {
	version    uint16
	expires    time.Time
	generation []byte
	variant    string
	rollout    string
	secret     string
}

func (s sealing) seal() string {
	payload := binary.BigEndian.AppendUint64(nil, uint64(s.version)<<48|uint64(s.expires.UnixMilli()))
	payload = append(payload, s.generation...)
	payload = append(payload, "nine byte"...)
	payload = append(payload, s.variant...)
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(s.rollout + "\x00"))
	mac.Write(payload)
	return base64.RawURLEncoding.EncodeToString(append(payload, mac.Sum(nil)[:16]...))
}

// generationOf is that of a genuine cookie.
func generationOf(t *testing.T, cookie string) []byte {
	t.Helper()
	_, value, _ := strings.Cut(cookie, "rollout_checkout=")
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(sealed) < 16 {
		t.Fatalf("the cookie %q: %v", cookie, err)
	}
	return sealed[8:16]
}

// cookieForgeries are cookies of a client of the baseline who wants the canary, made from a genuine one of the canary.
var cookieForgeries = []struct {
	name  string
	forge func(value string, s sealing) string
}{
	{"cut short", func(value string, _ sealing) string { return value[:len(value)-1] }},
	{"cut to half", func(value string, _ sealing) string { return value[:len(value)/2] }},
	{"empty", func(string, sealing) string { return "" }},
	{"the variant's name", func(string, sealing) string { return "canary" }},
	{"another first letter", func(value string, _ sealing) string { return other(value, 0) }},
	{"another letter in the middle", func(value string, _ sealing) string { return other(value, len(value)/2) }},
	{"another last letter", func(value string, _ sealing) string { return other(value, len(value)-1) }},
	{"longer", func(value string, _ sealing) string { return value + "AAAA" }},
	{"8 KiB", func(string, sealing) string { return strings.Repeat("A", 8<<10) }},
	{"itself and 8 KiB", func(value string, _ sealing) string { return value + strings.Repeat("A", 8<<10) }},
	{"not base64", func(value string, _ sealing) string { return "!" + value[1:] }},
	{"padded", func(value string, _ sealing) string { return value + "=" }},
	{"in quotes", func(value string, _ sealing) string { return `"` + value + `"` }},
	{"of another rollout", func(_ string, s sealing) string { s.rollout = "basket"; return s.seal() }},
	{"of a rollout whose name begins so", func(_ string, s sealing) string { s.rollout = "checkout2"; return s.seal() }},
	{"by another secret", func(_ string, s sealing) string { s.secret = strings.ToUpper(s.secret); return s.seal() }},
	{"by an empty secret", func(_ string, s sealing) string { s.secret = ""; return s.seal() }},
	{"of another generation", func(_ string, s sealing) string { s.generation = []byte("another."); return s.seal() }},
	{"expired", func(_ string, s sealing) string { s.expires = time.Now().Add(-time.Second); return s.seal() }},
	{"expired in 1970", func(_ string, s sealing) string { s.expires = time.UnixMilli(0); return s.seal() }},
	{"of another version", func(_ string, s sealing) string { s.version = 2; return s.seal() }},
	{"of a variant that there is not", func(_ string, s sealing) string { s.variant = "purple"; return s.seal() }},
	{"of no variant", func(_ string, s sealing) string { s.variant = ""; return s.seal() }},
	{"without a MAC", func(_ string, s sealing) string { sealed := s.seal(); return sealed[:len(sealed)-22] }},
}

// other changes one letter.
func other(value string, at int) string {
	letter := "A"
	if value[at] == 'A' {
		letter = "E" // differs in more than the bits that base64 leaves over
	}
	return value[:at] + letter + value[at+1:]
}

var cookieForgeryScenarios = []scenario{
	{
		name: "forged cookies",
		site: site(sticky()),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			cookie := assigned(t, g, "canary split", "X-User: "+low)
			_, value, _ := strings.Cut(cookie, "rollout_checkout=")
			genuine := sealing{1, time.Now().Add(time.Hour), generationOf(t, cookie), "canary", "checkout", cookieSecret}
			// What is made as the documentation says is genuine, so each forgery fails for what is wrong with it.
			for _, good := range []string{cookie, "Cookie: rollout_checkout=" + genuine.seal()} {
				exchange{Request: get(good, "X-User: "+high), want: "canary assigned", client: []string{"Set-Cookie:"}}.check(t, g)
			}
			for _, f := range cookieForgeries {
				t.Run(f.name, func(t *testing.T) {
					forged := "Cookie: rollout_checkout=" + f.forge(value, genuine)
					a := g.Get(t, "/", forged, "X-User: "+high)
					expectDecision(t, f.name, g, "checkout", a, "stable split")
					if len(a.Header["Set-Cookie"]) != 1 {
						t.Errorf("a client whose cookie does not count gets %q", a.Header["Set-Cookie"])
					}
				})
			}
		},
	},
	{
		name: "a genuine cookie among others of its name",
		site: site(sticky()),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			_, value, _ := strings.Cut(assigned(t, g, "canary split", "X-User: "+low), "=")
			for _, cookie := range []string{
				"Cookie: rollout_checkout=planted; rollout_checkout=" + value,
				"Cookie: rollout_checkout=planted\r\nCookie: rollout_checkout=" + value,
				"Cookie: xrollout_checkout=planted; rollout_checkout=" + value,
				"Cookie: a=rollout_checkout=planted;rollout_checkout=" + value + ";b=1",
			} {
				exchange{Request: get(cookie, "X-User: "+high), want: "canary assigned"}.check(t, g)
			}
			for _, cookie := range []string{
				"Cookie: xrollout_checkout=" + value,
				"Cookie: a=rollout_checkout=" + value,
				"Cookie: rollout_checkout_=" + value,
				"Cookie: Rollout_Checkout=" + value,
				"X-Cookie: rollout_checkout=" + value,
			} {
				exchange{Request: get(cookie, "X-User: "+high), want: "stable split"}.check(t, g)
			}
		},
	},
	{
		name: "no rollout takes another's cookie",
		site: site(sticky(), change(sticky(), func(r *gateway.Rollout) {
			r.Name, r.Path, r.Salt = "basket", "/basket/*", "checkout"
		})),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			_, value, _ := strings.Cut(assigned(t, g, "canary split", "X-User: "+low), "=")
			exchange{Request: at("/basket/", "Cookie: rollout_basket="+value, "X-User: "+high), want: "stable split"}.checkOn(t, g, "basket")
			exchange{Request: at("/", "Cookie: rollout_checkout="+value, "X-User: "+high), want: "canary assigned"}.check(t, g)
		},
	},
}
