package mirror

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"
)

func paths(t *testing.T, texts ...string) []Path {
	t.Helper()
	var list []Path
	for _, text := range texts {
		p, err := ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// differing returns the names of the fields in which answers differ, sorted.
func differing(f *findings) string {
	var names []string
	for _, d := range f.list {
		names = append(names, d.Field)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

func answered(status int, body string, headers ...string) *answer {
	a := &answer{status: status, header: http.Header{}, whole: true, latency: time.Millisecond}
	a.body = []byte(body)
	for i := 0; i < len(headers); i += 2 {
		a.header.Add(headers[i], headers[i+1])
	}
	return a
}

func TestJSON(t *testing.T) {
	for _, test := range []struct {
		baseline, target string
		anyOrder         bool
		ignore           []string
		want             string
	}{
		{`{"a":1,"b":[1,2]}`, ` {"b" : [1, 2], "a":1.0}`, false, nil, ""},
		{`{"a":1}`, `{"a":2}`, false, nil, "$.a"},
		{`{"a":1}`, `{"a":"1"}`, false, nil, "$.a"},
		{`{"a":1}`, `{"b":1}`, false, nil, "$.a $.b"},
		{`{"a":null}`, `{}`, false, nil, "$.a"},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, false, nil, "$.a"},
		{`[]`, `{}`, false, nil, "$"},
		{`1`, `2`, false, nil, "$"},
		{`[1,2,3]`, `[1,3,2]`, false, nil, "$[*]"},
		{`[1,2,3]`, `[1,3,2.0]`, true, nil, ""},
		{`[1,1,2]`, `[1,2,2]`, true, nil, "$[*]"},
		{`[1,2]`, `[1,2,3]`, true, nil, "$[*]"},
		{`[1,2]`, `[1]`, false, nil, "$[*]"},
		{`{"items":[{"id":1,"t":5},{"id":2,"t":6}]}`, `{"items":[{"id":2,"t":7},{"id":1,"t":8}]}`, true, []string{"$.items[*].t"}, ""},
		{`{"items":[{"id":1,"t":5}]}`, `{"items":[{"id":1,"t":7}]}`, false, nil, "$.items[*].t"},
		{`{"items":[{"id":1,"l":[2,1]}]}`, `{"items":[{"id":1,"l":[1,2]}]}`, true, nil, ""},
		{`{"meta":{"id":1,"x":{"y":1}},"z":1}`, `{"meta":{"id":2,"x":{"y":2}},"z":1}`, false, []string{"$.meta"}, ""},
		{`{"meta":{"id":1},"z":1}`, `{"z":2}`, false, []string{"$.meta"}, "$.z"},
		{`{"a":{"etag":1,"v":1},"etag":3}`, `{"a":{"etag":2,"v":2},"etag":4}`, false, []string{"$..etag"}, "$.a.v"},
		{`{"a":{"x":1,"y":2},"b":{"x":3}}`, `{"a":{"x":2,"y":3},"b":{"x":4}}`, false, []string{"$.a.*"}, "$.b.x"},
		{`{"a.b":{"c":1}}`, `{"a.b":{"c":2}}`, false, nil, `$["a.b"].c`},
		{`{"a.b":{"c":1}}`, `{"a.b":{"c":2}}`, false, []string{`$["a.b"].c`}, ""},
		{`{"a":1}`, `oops`, false, nil, "$"},
		{`oops`, `{"a":1}`, false, nil, "$"},
		{`oops`, `ooops`, false, nil, "body"},
		{`{"a":1} {}`, `{"a":1}`, false, nil, "$"},
	} {
		c := &Comparison{JSON: true, AnyOrder: test.anyOrder, Ignore: paths(t, test.ignore...)}
		f := &findings{}
		if !c.answers(f, answered(200, test.baseline), answered(200, test.target)) {
			t.Errorf("%s and %s cannot be compared", test.baseline, test.target)
		}
		if got := differing(f); got != test.want {
			t.Errorf("%s and %s, any order %v, without %v: differ in %q, want %q", test.baseline, test.target, test.anyOrder,
				test.ignore, got, test.want)
		}
	}
}

// TestHostileJSON: whatever a document is, comparing it ends, and what is found is bounded.
func TestHostileJSON(t *testing.T) {
	c := &Comparison{JSON: true, AnyOrder: true, Ignore: paths(t, "$..a..b..c", "$..x")}
	deep := strings.Repeat(`[`, 5000) + "1" + strings.Repeat(`]`, 5000)
	deeper := strings.Repeat(`[`, 5000) + "2" + strings.Repeat(`]`, 5000)
	var first, second strings.Builder
	first.WriteString(`{"a":0`)
	second.WriteString(`{"a":0`)
	for i := 0; i < 2000; i++ {
		name := strings.Repeat("k", 1+i%400) + string(rune('a'+i%26)) + strings.Repeat("z", i/400)
		first.WriteString(`,"` + name + `":1`)
		second.WriteString(`,"` + name + `":2`)
	}
	first.WriteString("}")
	second.WriteString("}")
	for _, pair := range [][2]string{{deep, deeper}, {first.String(), second.String()}, {"[" + strings.Repeat("1,", 5000) + "1]", "[" + strings.Repeat("2,", 5000) + "2]"}} {
		f := &findings{content: true}
		if !c.answers(f, answered(200, pair[0]), answered(200, pair[1])) || len(f.list) == 0 || len(f.list) > maxFindings {
			t.Errorf("%d differences", len(f.list))
		}
		for _, d := range f.list {
			if len(d.Field) > 3*maxValue || len(d.Baseline) > maxValue+len("…") {
				t.Errorf("a field of %d bytes with a value of %d", len(d.Field), len(d.Baseline))
			}
		}
	}
}

func compressed(t *testing.T, text string, level int) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnswers(t *testing.T) {
	fast, best := compressed(t, `{"a":"aaaaaaaaaa"}`, gzip.HuffmanOnly), compressed(t, `{"a": "aaaaaaaaaa"}`, gzip.BestCompression)
	long := answered(200, "x")
	long.cut = true
	all := Comparison{Status: true, Headers: []string{"Location", "Set-Cookie"}, Body: true}
	for _, test := range []struct {
		name             string
		comparison       Comparison
		baseline, target *answer
		want             string // "?": they cannot be compared
	}{
		{"alike", all, answered(200, "x", "Date", "now"), answered(200, "x", "Date", "later"), ""},
		{"another status", all, answered(200, "x"), answered(500, "x"), "status"},
		{"another status, not compared", Comparison{Body: true}, answered(200, "x"), answered(500, "x"), ""},
		{"another body", all, answered(200, "x"), answered(200, "y"), "body"},
		{"another body, not compared", Comparison{Status: true}, answered(200, "x"), answered(200, "y"), ""},
		{"a longer body", all, answered(200, "x"), long, "body"},
		{"another header", all, answered(302, "", "Location", "/a"), answered(302, "", "Location", "/b"), "header Location"},
		{"a header is missing", all, answered(200, "", "Set-Cookie", "a=b"), answered(200, ""), "header Set-Cookie"},
		{"no answer", Comparison{Status: true}, answered(200, ""), &answer{fault: failed}, "answer"},
		{"gzip, alike", Comparison{JSON: true}, answered(200, fast, "Content-Encoding", "gzip"), answered(200, best, "Content-Encoding", "gzip"), ""},
		{"gzip, alike but for white space", all, answered(200, fast, "Content-Encoding", "gzip"), answered(200, best, "Content-Encoding", "gzip"), "body"},
		{"gzip and plain", all, answered(200, fast, "Content-Encoding", "gzip"), answered(200, `{"a":"aaaaaaaaaa"}`), ""},
		{"broken gzip", all, answered(200, fast[:9], "Content-Encoding", "gzip"), answered(200, best, "Content-Encoding", "gzip"), "?"},
		{"unknown encoding", all, answered(200, "x", "Content-Encoding", "br"), answered(200, "y", "Content-Encoding", "br"), "?"},
		{"unknown encoding, alike", all, answered(200, "x", "Content-Encoding", "br"), answered(200, "x", "Content-Encoding", "br"), ""},
	} {
		f := &findings{}
		got := "?"
		if test.comparison.answers(f, test.baseline, test.target) {
			got = differing(f)
		}
		if got != test.want {
			t.Errorf("%s: differ in %q, want %q", test.name, got, test.want)
		}
	}
}

// TestCompressedBomb: what unpacks to more than is kept is cut, and not unpacked.
func TestCompressedBomb(t *testing.T) {
	bomb := answered(200, compressed(t, strings.Repeat("x", 5*MaxAnswer), gzip.BestSpeed), "Content-Encoding", "gzip")
	if content, ok := bomb.decoded(); !ok || len(content) != MaxAnswer {
		t.Errorf("%d bytes, %v", len(content), ok)
	}
}

func TestPaths(t *testing.T) {
	for text, want := range map[string][]string{
		"$.a":                {".a"},
		"$.a.b[*].c":         {".a", ".b", "[*]", ".c"},
		"$[]":                {"[*]"},
		"$.*":                {".*"},
		"$..a[*]":            {"..", ".a", "[*]"},
		`$["a.b"]["c\"]"].d`: {".a.b", `.c"]`, ".d"},
	} {
		p, err := ParsePath(text)
		if err != nil || !reflect.DeepEqual(p.steps, want) || p.String() != text {
			t.Errorf("%s: %q, %v; want %q", text, p.steps, err, want)
		}
	}
	for _, text := range []string{"", "$", "a", ".a", "$a", "$.", "$..", "$.a.", "$.a..", "$[", "$[0]", `$["a`, `$["a"`, "$['a']", "$.a]b["} {
		if _, err := ParsePath(text); err == nil || !strings.Contains(err.Error(), "no path into JSON") {
			t.Errorf("%q is a path: %v", text, err)
		}
	}
}

func TestRedaction(t *testing.T) {
	u, err := url.Parse("/a%20b?token=s3cret&q=s3cret&s3cret&x=")
	if err != nil {
		t.Fatal(err)
	}
	if got := shownPath(u, false); got != "/a%20b?q=…&token=…&…&…" {
		t.Errorf("%s is shown", got)
	}
	if got := shownPath(u, true); got != "/a%20b?"+u.RawQuery {
		t.Errorf("%s is shown, content included", got)
	}
	c := &Comparison{Status: true, Headers: []string{"Location", "Set-Cookie", "Authorization"}, Body: true, JSON: true}
	baseline := answered(302, `{"name":"s3cret"}`, "Location", "/login?code=s3cret", "Set-Cookie", "id=s3cret")
	target := answered(200, `{"name":"S3CRET"}`, "Authorization", "Bearer s3cret")
	f := &findings{}
	c.answers(f, baseline, target)
	if got := differing(f); got != "$.name body header Authorization header Location header Set-Cookie status" {
		t.Errorf("differ in %q", got)
	}
	for _, d := range f.list {
		if strings.Contains(strings.ToLower(d.Baseline+d.Target), "s3cret") {
			t.Errorf("%s shows %q and %q", d.Field, d.Baseline, d.Target)
		}
	}
	c.Content = true
	f = &findings{content: true}
	c.answers(f, baseline, target)
	for _, d := range f.list {
		if hidden := strings.Contains(d.Baseline+d.Target, "hidden"); hidden != secret[strings.TrimPrefix(d.Field, "header ")] {
			t.Errorf("content included, %s shows %q and %q", d.Field, d.Baseline, d.Target)
		}
		if d.Field == "$.name" && (d.Baseline != `"s3cret"` || d.Target != `"S3CRET"`) {
			t.Errorf("content included, %s shows %q and %q", d.Field, d.Baseline, d.Target)
		}
	}
}
