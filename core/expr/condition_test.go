package expr

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// request builds a request from "METHOD URL" and header lines.
func request(t testing.TB, line string, headers ...string) *http.Request {
	t.Helper()
	method, url, _ := strings.Cut(line, " ")
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

func join(problems []error) string {
	texts := make([]string, 0, len(problems))
	for _, p := range problems {
		texts = append(texts, p.Error())
	}
	return strings.Join(texts, "\n")
}

// testHost offers placeholders and reads files once.
var testHost = Host{
	Placeholder: func(r *http.Request, name string) (string, bool) {
		if name == "http.auth.user.id" {
			return "ada", true
		}
		return "", false
	},
	Watch: func(path string, load func([]byte) error) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return load(content)
	},
}

func evaluates(t testing.TB, source string, in *Input) bool {
	t.Helper()
	c, problems := ParseCondition(source, testHost)
	if len(problems) > 0 {
		t.Fatalf("%s: %s", source, join(problems))
	}
	return Next(NewTable([]*Condition{c}), in, None) == 0
}

func TestConditions(t *testing.T) {
	r := request(t, "POST http://Shop.Example:8080/api/Cart?v=2&beta=&list=a,b&list=c&sp=a%20b",
		"X-Version: v2", "X-Version: v3", "X-Build: 1200", "X-Empty: ", "X-Groups: alpha, beta", "X-Groups: gamma",
		"Cookie: uid=u-17; theme=\"dark\"", "Cookie: lang=nb", "X-Neg: -1.5", "X-Mixed: MiXed", "X-Word: 12a")
	r.TLS = &tls.ConnectionState{}
	users := t.TempDir() + "/users.txt"
	networks := t.TempDir() + "/networks.txt"
	write(t, users, "\ufeff# staff\nu-16\r\n  u-17  \n\n")
	write(t, networks, "10.0.0.0/8\n2001:db8::/32\n192.0.2.9\n")

	for _, test := range []struct {
		source string
		want   bool
	}{
		{`true`, true}, {`false`, false}, {`!false`, true}, {`(true)`, true},
		{`true && false`, false}, {`true || false`, true}, {`!(true && false) && true`, true},
		{`false && true || true`, true}, {`false && (true || true)`, false}, {`!true || !false`, true},

		// the first field counts, names are case-insensitive, values are not
		{`header("X-Version") == "v2"`, true}, {`header("x-version") == "v2"`, true}, {`header("X-Version") == "V2"`, false},
		{`header("X-Version") == "v3"`, false}, {`header("X-Version") != "v3"`, true}, {"header(`X-Version`) == `v2`", true},
		{`header("Host") == "Shop.Example:8080"`, true}, {`header("Host").exists()`, true},

		// absent is empty, and .exists tells
		{`header("X-No") == ""`, true}, {`header("X-No") != ""`, false}, {`header("X-No").exists()`, false},
		{`header("X-Empty") == ""`, true}, {`header("X-Empty").exists()`, true}, {`!header("X-No").exists()`, true},

		{`cookie("uid") == "u-17"`, true}, {`cookie("theme") == "dark"`, true}, {`cookie("lang") == "nb"`, true},
		{`cookie("ui").exists()`, false}, {`cookie("u-17").exists()`, false}, {`cookie("no") == ""`, true},
		{`query("v") == "2"`, true}, {`query("beta").exists()`, true}, {`query("beta") == ""`, true}, {`query("no").exists()`, false},
		{`query("sp") == "a b"`, true}, {`query("list") == "a,b"`, true},
		{`path() == "/api/Cart"`, true}, {`path().hasPrefix("/api/")`, true}, {`path().lower() == "/api/cart"`, true},
		{`method() == "POST"`, true}, {`host() == "shop.example"`, true}, {`scheme() == "https"`, true},
		{`placeholder("http.auth.user.id") == "ada"`, true}, {`placeholder("http.no").exists()`, false},
		{`random() >= 0 && random() < 1`, true}, {`random() < 0`, false},

		// text order
		{`header("X-Version") < "v3"`, true}, {`header("X-Version") <= "v2"`, true}, {`header("X-Version") > "v2"`, false},
		{`header("X-Version") >= "v2"`, true}, {`header("X-Build") < "9"`, true},

		// numbers
		{`header("X-Build") == 1200`, true}, {`header("X-Build") == 1200.0`, true}, {`header("X-Build") != 1200`, false},
		{`header("X-Build") > 99`, true}, {`header("X-Build") >= 1200`, true}, {`header("X-Build") < 1200`, false},
		{`header("X-Build") <= 1200`, true}, {`header("X-Neg") < 0`, true}, {`header("X-Neg") == -1.5`, true},
		{`header("X-Neg") > -2`, true}, {`header("X-Build") == +1200`, true}, {`header("X-Build") == 1.2e3`, true},
		// not a number: == false, != true, orderings false
		{`header("X-Word") == 12`, false}, {`header("X-Word") != 12`, true}, {`header("X-Word") < 100`, false},
		{`header("X-Word") >= 0`, false}, {`header("X-No") == 0`, false}, {`header("X-No") != 0`, true}, {`header("X-No") <= 0`, false},

		{`header("X-Version").in("v1", "v2")`, true}, {`header("X-Version").in("v3")`, false}, {`header("X-No").in("")`, true},
		{`cookie("uid").inFile("` + users + `")`, true}, {`cookie("theme").inFile("` + users + `")`, false},
		{`header("X-No").inFile("` + users + `")`, false},
		{`header("X-Groups").has("alpha")`, true}, {`header("X-Groups").has("beta")`, true}, {`header("X-Groups").has("gamma")`, true},
		{`header("X-Groups").has("Beta")`, false}, {`header("X-Groups").has("bet")`, false}, {`header("X-Groups") == "gamma"`, false},
		{`header("X-No").has("a")`, false}, {`query("list").has("b")`, true}, {`query("list").has("c")`, true}, {`query("list").has("d")`, false},
		{`header("X-Mixed").lower().has("mixed")`, true}, {`cookie("uid").has("u-17")`, true},
		{`header("X-Version").contains("2")`, true}, {`header("X-Version").contains("3")`, false},
		{`header("X-Version").hasPrefix("v")`, true}, {`header("X-Version").hasSuffix("2")`, true}, {`header("X-Version").hasSuffix("v")`, false},
		{`header("X-Version").matches("^v[0-9]+$")`, true}, {`header("X-Version").matches("^[0-9]")`, false},
		{`header("X-Mixed").lower() == "mixed"`, true}, {`header("X-Mixed").lower().matches("[A-Z]")`, false},
		{`header("X-Mixed") == "mixed"`, false}, {`header("X-Mixed").lower().lower().contains("ixe")`, true},
		{`cookie("beta") == true`, false}, {`header("X-No") != true`, true},

		{`ip() == "203.0.113.7"`, true}, {`ip() != "203.0.113.7"`, false}, {`ip() == "203.0.113.8"`, false},
		{`ip() == "::ffff:203.0.113.7"`, true}, {`ip().in("10.0.0.0/8", "203.0.113.0/24")`, true}, {`ip().in("203.0.113.7")`, true},
		{`ip().in("10.0.0.0/8")`, false}, {`ip().in("::/0")`, false}, {`ip().in("0.0.0.0/0")`, true}, {`ip().inFile("` + networks + `")`, false},
		{`ip().exists()`, true}, {`ip().hasPrefix("203.")`, true}, {`ip().in("::ffff:203.0.113.0/120")`, true},

		// several operands of one value
		{`header("X-Version") == "v1" || header("X-Version") == "v2"`, true},
		{`header("X-Version") == "v1" || header("X-Version").in("v3", "v4")`, false},
		{`!(header("X-Version") == "v2") || header("X-Version").lower() == "v2"`, true},
	} {
		in := &Input{Request: r, Address: "203.0.113.7"}
		if got := evaluates(t, test.source, in); got != test.want {
			t.Errorf("%s = %v, want %v", test.source, got, test.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	networks := t.TempDir() + "/networks.txt"
	write(t, networks, "10.0.0.0/8\n2001:db8::/32\n192.0.2.9\n")
	for _, test := range []struct {
		address, source string
		want            bool
	}{
		{"2001:DB8:0:0::1", `ip() == "2001:db8::1"`, true},
		{"2001:db8::1", `ip().in("2001:db8::/32")`, true},
		{"2001:db9::1", `ip().in("2001:db8::/32")`, false},
		{"2001:db8::1", `ip().inFile("` + networks + `")`, true},
		{"192.0.2.9", `ip().inFile("` + networks + `")`, true},
		{"192.0.2.8", `ip().inFile("` + networks + `")`, false},
		{"::ffff:10.1.2.3", `ip().in("10.0.0.0/8")`, true},
		{"fe80::1%eth0", `ip() == "fe80::1"`, true},
		{"", `ip().exists()`, false},
		{"not an address", `ip() == "10.0.0.1"`, false},
		{"not an address", `ip() != "10.0.0.1"`, true},
		{"not an address", `ip().in("0.0.0.0/0", "::/0")`, false},
		{"010.0.0.1", `ip().in("10.0.0.0/8", "8.0.0.0/8")`, false},
	} {
		in := &Input{Request: request(t, "GET /"), Address: test.address}
		if got := evaluates(t, test.source, in); got != test.want {
			t.Errorf("from %q: %s = %v, want %v", test.address, test.source, got, test.want)
		}
	}
}

func TestHostnames(t *testing.T) {
	for host, want := range map[string]string{
		"Example.COM": "example.com", "example.com:443": "example.com", "[2001:db8::1]:80": "2001:db8::1",
		"[2001:DB8::1]": "2001:db8::1", "2001:db8::1": "2001:db8::1", "": "", ":80": "", "a": "a", "[": "[", "[]": "",
	} {
		r := request(t, "GET /")
		r.Host = host
		if got := hostname(r); got != want {
			t.Errorf("hostname(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestRandomIsDrawnOncePerRequest(t *testing.T) {
	seen := map[float64]bool{}
	for i := 0; i < 100; i++ {
		in := &Input{Request: request(t, "GET /")}
		if in.draw() != in.draw() {
			t.Fatal("one request drew two numbers")
		}
		seen[in.draw()] = true
	}
	if len(seen) < 99 {
		t.Errorf("100 requests drew %d numbers", len(seen))
	}
}

func TestSetFiles(t *testing.T) {
	var loads []func([]byte) error
	host := Host{Watch: func(path string, load func([]byte) error) error {
		loads = append(loads, load)
		return load([]byte("10.0.0.1\n"))
	}}
	users, problems := ParseCondition(`header("X-User").inFile("users")`, host)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	networks, problems := ParseCondition(`ip().inFile("networks")`, host)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	table := NewTable([]*Condition{users, networks})
	first := func(user, address string) int {
		return Next(table, &Input{Request: request(t, "GET /", "X-User: "+user), Address: address}, None)
	}
	if first("10.0.0.1", "") != 0 || first("ada", "10.0.0.1") != 1 || first("ada", "10.0.0.2") != None {
		t.Fatal("the sets do not hold what was loaded")
	}
	if err := loads[0]([]byte("ada\n")); err != nil {
		t.Fatal(err)
	}
	if err := loads[1]([]byte("10.0.0.0/8\nnonsense\n")); err == nil {
		t.Fatal("a file with a line that is no address was taken")
	}
	if first("ada", "") != 0 || first("10.0.0.1", "") != None {
		t.Error("the new set of users does not count")
	}
	if first("", "10.0.0.1") != 1 || first("", "10.0.0.2") != None {
		t.Error("a file that cannot be used changed the set")
	}
}

func TestMissingFileIsAProblem(t *testing.T) {
	host := Host{Watch: func(path string, load func([]byte) error) error { return errors.New("no such file") }}
	_, problems := ParseCondition(`true && header("X").inFile("nowhere")`, host)
	if got, want := join(problems), "column 28: no such file"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ExampleParseCondition() {
	condition, _ := ParseCondition(`header("X-Version") == "v2"`, Host{})
	table := NewTable([]*Condition{condition})
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Version", "v2")
	fmt.Println(Next(table, &Input{Request: r}, None))

	_, problems := ParseCondition(`true && heder("X-Version") == "v2"`, Host{})
	fmt.Println(problems[0])
	// Output:
	// 0
	// column 9: unknown function "heder" (did you mean "header"?)
}
