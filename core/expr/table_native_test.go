package expr

import (
	"crypto/tls"
	"testing"
)

// TestTestsDoNotAllocate: of every kind, on a request that has what they look at and on one that has not.
func TestTestsDoNotAllocate(t *testing.T) {
	full := request(t, "POST http://shop.example:8080/api/cart?v=2&list=a,b", "X-Version: v2", "X-Build: 1200", "X-Groups: alpha, beta",
		"Cookie: uid=u-17; theme=\"dark\"")
	full.TLS = &tls.ConnectionState{}
	users, networks := t.TempDir()+"/users.txt", t.TempDir()+"/networks.txt"
	write(t, users, "u-16\nu-17\n")
	write(t, networks, "10.0.0.0/8\n2001:db8::/32\n")
	for _, source := range []string{
		`header("X-Version") == "v2"`, `header("X-Version") < "v3"`, `header("X-Version").in("v1", "v3")`, `header("X-Version").exists()`,
		`header("X-Build") >= 1200`, `header("X-Version") == 2`, `header("X-Version").contains("2")`, `header("X-Version").hasPrefix("v")`,
		`header("X-Version").hasSuffix("2")`, `header("X-Version").matches("^v[0-9]$")`, `header("X-Groups").has("beta")`,
		`header("X-Version").lower() == "v2"`, `cookie("uid") == "u-17"`, `cookie("theme") == "dark"`, `cookie("uid").inFile("` + users + `")`,
		`query("v") == "2"`, `path() == "/api/cart"`, `method() == "POST"`, `host() == "shop.example"`, `scheme() == "https"`,
		`ip() == "203.0.113.7"`, `ip().in("10.0.0.0/8", "203.0.113.0/24")`, `ip().inFile("` + networks + `")`, `random() < 0.5 && false`,
		`placeholder("http.auth.user.id") == "ada"`, `header("A") == "1" || header("A").in("2", "3")`,
	} {
		condition, problems := ParseCondition(source, testHost)
		if len(problems) > 0 {
			t.Fatalf("%s: %s", source, join(problems))
		}
		table := NewTable([]*Condition{condition})
		empty := request(t, "GET http://shop.example/")
		for n, r := range []*Input{{Request: full, Address: "203.0.113.7"}, {Request: empty, Address: "203.0.113.8"}} {
			allocations := testing.AllocsPerRun(100, func() {
				in := Input{Request: r.Request, Address: r.Address}
				Next(table, &in, None)
			})
			want := 0.0
			if source[:6] == "random" {
				want = 1 // the text of the number
			}
			if allocations > want {
				t.Errorf("%s allocates %v times for request %d, want %v", source, allocations, n, want)
			}
		}
	}
}
