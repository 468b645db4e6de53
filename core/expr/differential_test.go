package expr

import (
	"math/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// cookieFields are Cookie headers as browsers, scripts and attackers send them.
var cookieFields = []string{
	"uid=1", "a=1; uid=2", "uid=1; uid=2", "xuid=1; uid=2", "uidx=1; uid=2", "a=uid; uid=2", "a=uid=3; uid=2", " uid = 1", "uid =1; a=2",
	"uid", "uid;", "; ; uid=1;", "uid==", "uid=\"1\"", "uid=\"", "uid=\"\"", "a;uid=1", "uid=1  ;b=2", "uiduid=1; uid=2", "uid=", "UID=1",
	"a=1;\tuid=2\t; b=3", "=uid; uid=1", "uid=a=b", "", ";;;", "uid = ", "a=\"uid=1\"; uid=2",
}

func TestCookieFindsWhatNetHTTPFinds(t *testing.T) {
	for _, field := range cookieFields {
		compareCookie(t, []string{field}, "uid")
		compareCookie(t, []string{"first=1", field, "uid=last"}, "uid")
	}
	random := rand.New(rand.NewSource(3))
	for n := 0; n < 3000; n++ {
		var b strings.Builder
		for i := random.Intn(14); i >= 0; i-- {
			b.WriteString([]string{"u", "uu", "=", ";", " ", "\t", "v", `"`}[random.Intn(8)])
		}
		compareCookie(t, []string{b.String()}, "uu")
	}
}

// findCookie reads a cookie as a condition does.
func findCookie(fields []string, name string) (string, bool) {
	v := &value{source: fromCookie, name: name, pair: name + "=", second: "; " + name + "="}
	return read(v, &Input{Request: &http.Request{Header: http.Header{"Cookie": fields}}})
}

// compareCookie holds cookie to net/http, except that net/http drops cookies with a quote or backslash inside.
func compareCookie(t *testing.T, fields []string, name string) {
	t.Helper()
	for _, field := range fields {
		for _, pair := range strings.Split(field, ";") {
			_, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			if strings.ContainsAny(value, "\"\\\t") {
				return
			}
		}
	}
	r := &http.Request{Header: http.Header{"Cookie": fields}}
	want, err := r.Cookie(name)
	got, ok := findCookie(fields, name)
	if ok != (err == nil) || ok && got != want.Value {
		t.Errorf("cookie(%q, %q) = %q, %v; net/http: %v, %v", fields, name, got, ok, want, err)
	}
}

func TestCookieKeepsValuesThatNetHTTPDrops(t *testing.T) {
	if got, ok := findCookie([]string{`prefs={"beta":true}; uid=1`}, "prefs"); !ok || got != `{"beta":true}` {
		t.Errorf("got %q, %v", got, ok)
	}
}

func TestParameterFindsWhatNetURLFinds(t *testing.T) {
	random := rand.New(rand.NewSource(5))
	for n := 0; n < 3000; n++ {
		var b strings.Builder
		for i := random.Intn(12); i >= 0; i-- {
			b.WriteString([]string{"v", "vv", "=", "&", "%76", "+", ";", "1", "%", ""}[random.Intn(10)])
		}
		raw := b.String()
		values, _ := url.ParseQuery(raw)
		in := &Input{Request: &http.Request{URL: &url.URL{RawQuery: raw}}}
		got, ok := in.parameter("v")
		if ok != values.Has("v") || got != values.Get("v") {
			t.Errorf("%q: v = %q, %v; net/url: %q, %v", raw, got, ok, values.Get("v"), values.Has("v"))
		}
	}
}

func FuzzCookie(f *testing.F) {
	for _, field := range cookieFields {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if strings.ContainsFunc(field, func(c rune) bool { return c < ' ' || c > '~' }) {
			return // net/http refuses such requests before they get here
		}
		compareCookie(t, []string{field}, "uid")
	})
}

// FuzzCondition: whatever the text, the compiler answers with a program or with problems, and the program ends.
func FuzzCondition(f *testing.F) {
	for _, source := range []string{`header("X") == "v" && !cookie("a").in("b", "c")`, `ip().in("10.0.0.0/8") || random() < 0.5`,
		`header("X").lower().matches("(")`, `((((`, `{http.x}`, "`", `query("v") >= -1e9`, `a.b.c(d)(e)`, `!`, `true`} {
		f.Add(source, "v")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		condition, problems := ParseCondition(source, Host{})
		if (condition == nil) == (len(problems) == 0) {
			t.Fatalf("%q: condition %v and problems %v", source, condition, problems)
		}
		for _, p := range problems {
			if !strings.HasPrefix(p.Error(), "column ") {
				t.Errorf("%q: a problem without a place: %v", source, p)
			}
		}
		if condition == nil {
			return
		}
		r := &http.Request{Method: "GET", URL: &url.URL{Path: text, RawQuery: text}, Header: http.Header{"X": {text}, "Cookie": {text}}}
		in := &Input{Request: r, Address: text}
		if got, want := Next(NewTable([]*Condition{condition}), in, None) == 0, slow(condition.root, in); got != want {
			t.Errorf("%q: program says %v, its twin %v", source, got, want)
		}
	})
}
