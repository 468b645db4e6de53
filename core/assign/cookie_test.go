package assign

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"
)

func request(secure bool, cookies ...string) *http.Request {
	r, _ := http.NewRequest(http.MethodGet, "http://shop.example/", nil)
	if len(cookies) > 0 {
		r.Header["Cookie"] = cookies
	}
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

func TestHeader(t *testing.T) {
	c := codec(t, "checkout", secretA)
	id := NewID()
	day := Assignment{Variant: "canary", Expires: noon.Add(24 * time.Hour).UnixMilli()}
	forever := Assignment{Variant: "canary", Expires: Never}
	for _, test := range []struct {
		name     string
		settings CookieSettings
		secure   bool
		a        Assignment
		want     string // with a star for the value
	}{
		{"plain", CookieSettings{Name: "v", SameSite: "Lax"}, false, day, "v=*; Max-Age=86401; Path=/; HttpOnly; SameSite=Lax"},
		{"TLS", CookieSettings{Name: "v", SameSite: "Lax"}, true, day, "__Host-v=*; Max-Age=86401; Path=/; HttpOnly; SameSite=Lax; Secure"},
		{"domain", CookieSettings{Name: "v", SameSite: "None", Domain: "shop.example"}, true, day,
			"v=*; Max-Age=86401; Path=/; Domain=shop.example; HttpOnly; SameSite=None; Secure"},
		{"path", CookieSettings{Name: "v", SameSite: "Strict", Path: "/cart"}, true, day, "v=*; Max-Age=86401; Path=/cart; HttpOnly; SameSite=Strict; Secure"},
		{"for the whole rollout", CookieSettings{Name: "v", SameSite: "Lax"}, false, forever, "v=*; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax"},
		{"an identity", CookieSettings{Name: "v", SameSite: "Lax", Identifies: true}, false, day, "v=*; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax"},
	} {
		cookie := NewCookie(c, test.settings)
		r := request(test.secure)
		got := cookie.Header(r, test.a, id, noon)
		if want := strings.Replace(test.want, "*", c.Seal(test.a, id), 1); got != want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, want)
		}
		response := http.Response{Header: http.Header{"Set-Cookie": {got}}}
		if parsed := response.Cookies(); len(parsed) != 1 || len(parsed[0].Unparsed) > 0 {
			t.Errorf("%s: net/http reads %v", test.name, parsed)
		}
		// The browser sends back what it was given.
		pair, _, _ := strings.Cut(got, ";")
		if a, gotID, ok := Find(cookie, request(test.secure, pair)); !ok || a != test.a || gotID != id {
			t.Errorf("%s: came back as %+v, %v", test.name, a, ok)
		}
	}
	if got := NewCookie(NewCodec("checkout"), CookieSettings{Name: "v"}).Header(request(false), day, id, noon); got != "" {
		t.Errorf("a cookie without a secret: %s", got)
	}
}

func TestFind(t *testing.T) {
	codecA := codec(t, "checkout", secretA)
	cookie := NewCookie(codecA, CookieSettings{Name: "v", SameSite: "Lax"})
	good := codecA.Seal(canary(), NewID())
	bad := codec(t, "checkout", secretB).Seal(canary(), NewID())
	for _, test := range []struct {
		name    string
		secure  bool
		cookies string // header fields, separated by bars
		want    bool
	}{
		{"no cookie", false, "", false},
		{"alone", false, "v=" + good, true},
		{"last", false, "a=1; b=2; v=" + good, true},
		{"in between", false, "a=1; v=" + good + "; b=2", true},
		{"without blanks", false, "a=1;v=" + good + ";b=2", true},
		{"with more blanks", false, "a=1; \t v=" + good + " \t ;b=2", true},
		{"in the second field", false, "a=1|b=2; v=" + good, true},
		{"in the third field", false, "a=1|v=" + bad + "|v=" + good, true},
		{"after one that is not genuine", false, "v=" + bad + "; v=" + good, true},
		{"after an empty one", false, "v=; v=" + good, true},
		{"after three that are not genuine", false, "v=1; v=2; v=3; v=" + good, true},
		{"after four that are not genuine", false, "v=1; v=2; v=3; v=4; v=" + good, false},
		{"after the end of another's name", false, "wv=1; v=" + good, true},
		{"inside of another's value", false, "a=v=" + good, false},
		{"inside of another's value, and then itself", false, "a=v=1; v=" + good, true},
		{"another's name that ends so", false, "wv=" + good, false},
		{"in other case", false, "V=" + good, false},
		{"in quotes", false, `v="` + good + `"`, false},
		{"without a value", false, "v", false},
		{"the other name", false, "__Host-v=" + good, false},
		{"over TLS", true, "__Host-v=" + good, true},
		{"over TLS without the prefix, as any host of the domain can set it", true, "v=" + good, false},
		{"thousands of others before it", false, strings.Repeat("a=1; ", 2000) + "v=" + good, true},
		{"8 KiB of its own name", false, strings.Repeat("v=1; ", 1600) + "v=" + good, false},
	} {
		var fields []string
		if test.cookies != "" {
			fields = strings.Split(test.cookies, "|")
		}
		a, _, ok := Find(cookie, request(test.secure, fields...))
		if ok != test.want || ok && a != canary() {
			t.Errorf("%s: %v, %+v", test.name, ok, a)
		}
	}
}

func TestKeepPrivate(t *testing.T) {
	for _, test := range []struct{ before, want string }{
		{"", "private"},
		{"public, max-age=60", "private, max-age=60"},
		{"Public,S-MaxAge=600, max-age=60, must-revalidate", "private, max-age=60, must-revalidate"},
		{"max-age=60|s-maxage=5, proxy-revalidate", "private, max-age=60"},
		{"no-cache", "private, no-cache"},
		{"no-store", "no-store"},
		{"max-age=60, Private", "max-age=60, Private"},
		{`private="Set-Cookie", max-age=60`, "private, max-age=60"},
		{`no-cache="a, b"`, `private, no-cache="a, b"`},
		{" , ,", "private"},
	} {
		h := http.Header{"Cdn-Cache-Control": {"max-age=60"}, "Surrogate-Control": {"max-age=60"}}
		if test.before != "" {
			h["Cache-Control"] = strings.Split(test.before, "|")
		}
		KeepPrivate(h)
		if got := strings.Join(h["Cache-Control"], "|"); got != test.want || len(h) != 1 {
			t.Errorf("%q becomes %q, want %q; %v", test.before, got, test.want, h)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	c := codec(b, "checkout", secretA)
	cookie := NewCookie(c, CookieSettings{Name: "rollout_checkout", SameSite: "Lax"})
	r := request(false, "theme=dark; rollout_checkout="+c.Seal(canary(), NewID())+"; lang=nb")
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		Find(cookie, r)
	}
}
