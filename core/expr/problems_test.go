package expr

import (
	"strings"
	"testing"
)

func TestProblems(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{``, `column 1: empty expression: write a condition such as header("X-Version") == "v2"`},
		{`header("X-V") == `, `column 18: expected a value, found the end`},
		{`heder("X") == "v2"`, `column 1: unknown function "heder" (did you mean "header"?)`},
		{`"é" == header("X")`, `column 1: a literal stands on the right: write header("X") == "é"`},
		{`header("é") == "x"`, `column 8: "é" is not a header name`},
		{`header("A") == "é" && heder("X").exists()`, `column 23: unknown function "heder" (did you mean "header"?)`},
		{`5 < header("X")`, `column 1: a literal stands on the right: write header("X") > 5`},
		{`claims("role") == "x"`, `column 1: unknown function "claims" (did you mean "claim"?)`},
		{`jwt("role") == "x"`, `column 1: unknown function "jwt"; there are header, cookie, query, path, method, host, scheme, ip, geo, claim, placeholder, random`},
		{`claim("role") == "x"`, `column 1: claim() reads verified tokens, and none are verified here: say how in jwt`},
		{`header("X")`, `column 1: a value is not a condition: append .exists(), or compare it`},
		{`header("X") && path()`, "column 1: a value is not a condition: append .exists(), or compare it\ncolumn 16: a value is not a condition: append .exists(), or compare it"},
		{`header("X").lower()`, `column 1: a value is not a condition: append .exists(), or compare it`},
		{`header`, `column 1: not a condition: header (write one such as header("X-Version") == "v2")`},
		{`path == "/"`, `column 1: path is a function: write path()`},
		{`nothing == "/"`, `column 1: not a value: nothing (write one such as header("X-Version"))`},
		{`"v2"`, `column 1: not a condition: "v2" (write one such as header("X-Version") == "v2")`},
		{`header(5) == "x"`, `column 8: header takes a text in double quotes, not 5: write "5"`},
		{`header(X) == "x"`, `column 8: header takes a text in double quotes, not X: write header("X-Version")`},
		{`header() == "x"`, `column 1: header takes one text: write header("X-Version")`},
		{`header("A", "B") == "x"`, `column 1: header takes one text: write header("X-Version")`},
		{`path("x") == "x"`, `column 6: path takes no argument: write path()`},
		{`cookie("a b") == "x"`, `column 8: "a b" is not a cookie name`},
		{`header("X") == header("Y")`, `column 16: the right side must be a literal such as "v2" or 10, not header("Y")`},
		{`header("X") == 'v'`, `column 16: single quotes: write texts in double quotes, "v"`},
		{`header('X-V') == "v"`, `column 8: single quotes: write texts in double quotes, "like this"`},
		{`header("X") == 007`, `column 16: 007 is not a decimal number; to compare it as text, write "007"`},
		{`header("X") == 0x10`, `column 16: 0x10 is not a decimal number; to compare it as text, write "0x10"`},
		{`header("X") == 9007199254740993`, `column 16: 9007199254740993 is too large to compare exactly as a number; compare it as text: "9007199254740993"`},
		{`header("X") == -"v"`, `column 16: - takes a number, not "v"`},
		{`header("X") < true`, `column 13: < cannot order true and false: use == or !=`},
		{`header("X") + 1`, `column 13: unknown operator +: conditions know == != < <= > >= && || !`},
		{`header("X").hasprefix("v")`, `column 13: unknown method "hasprefix" (did you mean "hasPrefix"?)`},
		{`header("X").frobnicate()`, `column 13: unknown method "frobnicate"; there are .in, .inFile, .has, .contains, .hasPrefix, .hasSuffix, .matches, .exists, .lower`},
		{`header("X").exists("a")`, `column 20: .exists takes no argument: write .exists()`},
		{`header("X").contains()`, `column 1: .contains takes one text: write .contains("...")`},
		{`header("X").contains(1)`, `column 22: .contains takes a text in double quotes, not 1: write "1"`},
		{`header("X").in()`, `column 1: .in takes one or more texts: write .in("a", "b")`},
		{`header("X").in("a", 1, path())`, "column 21: .in takes a text in double quotes, not 1: write \"1\"\ncolumn 24: .in takes a text in double quotes, not path(): write .in(\"a\", \"b\")"},
		{`header("X").in("a", "b") == true`, `column 13: .in() is a condition already: it cannot be compared or continued`},
		{`header("X").matches("(")`, "column 21: bad regular expression: missing closing ): `(`"},
		{`path().has("a")`, `column 8: .has looks into lists, and this is a single value: use == or .in`},
		{`header("X").has("a,b")`, `column 17: "a,b" can be no part of a comma-separated list`},
		{`ip() == "10.0.0.0/8"`, `column 9: "10.0.0.0/8" is a network: write ip().in("10.0.0.0/8")`},
		{`ip() == "localhost"`, `column 9: "localhost" is neither an IP address nor a CIDR such as 10.0.0.0/8`},
		{`ip() < "10.0.0.1"`, `column 6: addresses have no order: use ==, != or .in`},
		{`ip().in("10.0.0.0/33")`, `column 9: "10.0.0.0/33" is neither an IP address nor a CIDR such as 10.0.0.0/8`},
		{`header("X").lower() == "V2"`, `column 24: a lower-cased value never holds "V2": write "v2"`},
		{`header("X").lower().in("a", "B")`, `column 29: a lower-cased value never holds "B": write "b"`},
		{`placeholder("http.x") == "a"`, `column 1: placeholder() works only where the gateway has placeholders, as Caddy does; use header(), cookie() or query()`},
		{`header("X").inFile("f")`, `column 20: .inFile cannot be used here: there is nothing that watches files`},
		{`header("X") == "{http.request.host}"`, `column 17: {http.request.host} is a placeholder of the gateway, and expressions expand none: use placeholder("http.request.host")`},
		{`{http.request.header.X-Version} == "v2"`, `column 1: {http.request.header.X-Version} is a placeholder of the gateway, and expressions expand none: use placeholder("http.request.header.X-Version") or, better, header("X-Version")`},
		{`cookie("uid") == "{env.SECRET}"`, `column 19: {env.SECRET} is a placeholder of the gateway, and expressions expand none: use placeholder("env.SECRET")`},
		{`func() bool { return true }()`, `column 1: not a value: func() bool { return true }()`},
		{`[]int{1}`, `column 1: not a condition: []int{1} (write one such as header("X-Version") == "v2")`},
		{`-header("X")`, `column 1: not a condition: -header("X") (write one such as header("X-Version") == "v2")`},
		{`heder("X") == "a" || header("Y").hasPrefx("b") || "c"`, "column 1: unknown function \"heder\" (did you mean \"header\"?)\n" +
			"column 34: unknown method \"hasPrefx\" (did you mean \"hasPrefix\"?)\n" +
			"column 51: not a condition: \"c\" (write one such as header(\"X-Version\") == \"v2\")"},
	} {
		_, problems := ParseCondition(test.source, Host{})
		if got := join(problems); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.source, got, test.want)
		}
	}
}

func TestPlaceholderNames(t *testing.T) {
	for _, source := range []string{`placeholder("") == "a"`, `placeholder("}x{").exists()`} {
		_, problems := ParseCondition(source, testHost)
		if !strings.Contains(join(problems), "without braces") {
			t.Errorf("%s: got %q", source, join(problems))
		}
	}
}

func TestKeyProblems(t *testing.T) {
	_, problems := ParseKey([]string{`cookie("uid")`, `random()`, `heder("X")`, `path() == "/"`}, Host{})
	for i, want := range []string{
		"",
		"column 1: random() is always there, so what follows it is never asked: put it last",
		`column 1: unknown function "heder" (did you mean "header"?)`,
		`column 1: not a value: path() == "/" (write one such as header("X-Version"))`,
	} {
		if got := join(problems[i]); got != want {
			t.Errorf("key[%d]: got %q, want %q", i, got, want)
		}
	}
}

func TestKeyTakesTheFirstValueThatIsNotEmpty(t *testing.T) {
	key, problems := ParseKey([]string{`header("X-User").lower()`, `cookie("uid")`, `ip()`}, Host{})
	if key == nil {
		t.Fatal(problems)
	}
	for _, test := range []struct {
		address string
		headers []string
		want    string
	}{
		{"", []string{"X-User: Ada", "Cookie: uid=7"}, "ada"},
		{"", []string{"X-User: ", "Cookie: uid=7"}, "7"},
		{"192.0.2.1", []string{"Cookie: uid="}, "192.0.2.1"},
		{"2001:DB8::0:1", nil, "2001:db8::1"},
		{"::ffff:192.0.2.1", nil, "192.0.2.1"},
		{"", nil, ""},
	} {
		in := &Input{Request: request(t, "GET /", test.headers...), Address: test.address}
		if got := Read(key, in); got != test.want {
			t.Errorf("%v from %q: key %q, want %q", test.headers, test.address, got, test.want)
		}
	}
	if key.Random() || !RandomKey().Random() {
		t.Error("only random() makes a key random")
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"header", "cookie", "ip", "min_requests"}
	for word, want := range map[string]string{
		"heder": "header", "haeder": "header", "Header": "header", "cokie": "cookie", "minRequests": "min_requests",
		"x": "", "completely": "", "pi": "", "": "",
	} {
		if want != "" {
			want = ` (did you mean "` + want + `"?)`
		}
		if got := Suggest(word, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}
