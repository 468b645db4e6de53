package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// rule sends what meets the condition to the canary.
func rule(name, when string) gateway.Rule { return gateway.Rule{Name: name, Use: "canary", When: when} }

var ruleScenarios = []scenario{
	{
		name: "rules apply in order",
		site: site(checkout(
			rule("first", `header("X-A") == "1"`),
			gateway.Rule{Name: "second", Use: "stable", When: `header("X-B") == "1"`},
			rule("third", `header("X-B").exists()`),
		)),
		exchanges: []exchange{
			{Request: get("X-A: 1"), want: "canary rule:first"},
			{Request: get("X-A: 1", "X-B: 1"), want: "canary rule:first"},
			{Request: get("X-B: 1"), want: "stable rule:second"},
			{Request: get("X-B: 2"), want: "canary rule:third"},
			{Request: get(), want: "stable split"},
		},
	},
	{
		name: "header present, absent, empty",
		site: site(checkout(rule("there", `header("X-There").exists()`), rule("empty", `header("X-Version") == "" && header("X-Want-Empty") == "yes"`), qa)),
		exchanges: []exchange{
			{Request: get("X-Version: v2"), want: "canary rule:qa"},
			{Request: get("x-version: v2"), want: "canary rule:qa"}, // names ignore case
			{Request: get("X-Version: V2"), want: "stable split"},   // values do not
			{Request: get("X-Version: v22"), want: "stable split"},
			{Request: get(), want: "stable split"},
			{Request: get("X-There: 0"), want: "canary rule:there"},
			{Request: get("X-There:"), want: "canary rule:there"},          // empty is there
			{Request: get("X-Want-Empty: yes"), want: "canary rule:empty"}, // absent equals empty
			{Request: get("X-Want-Empty: yes", "X-Version:"), want: "canary rule:empty"},
			{Request: get("X-Want-Empty: yes", "X-Version: v1"), want: "stable split"},
		},
	},
	{
		name: "header repeated",
		site: site(checkout(qa, rule("beta", `header("X-Tag").has("beta")`))),
		exchanges: []exchange{
			{Request: get("X-Version: v2", "X-Version: v1"), want: "canary rule:qa"}, // == looks at the first
			{Request: get("X-Version: v1", "X-Version: v2"), want: "stable split"},
			{Request: get("X-Version: v2,v1"), want: "stable split"}, // a field is one value
			{Request: get("X-Tag: alpha", "X-Tag: beta"), want: "canary rule:beta"},
			{Request: get("X-Tag: alpha, beta"), want: "canary rule:beta"},
			{Request: get("X-Tag: alpha,beta,gamma"), want: "canary rule:beta"},
			{Request: get("X-Tag: betamax"), want: "stable split"},
		},
	},
	{
		name: "cookie",
		site: site(checkout(rule("group", `cookie("user_group") == "test_group"`), rule("marked", `cookie("mark").exists()`))),
		exchanges: []exchange{
			{Request: get("Cookie: user_group=test_group"), want: "canary rule:group"},
			{Request: get("Cookie: a=b; user_group=test_group; c=d"), want: "canary rule:group"},
			{Request: get("Cookie: a=b", "Cookie: user_group=test_group"), want: "canary rule:group"},
			{Request: get("Cookie: my_user_group=test_group"), want: "stable split"},
			{Request: get("Cookie: User_Group=test_group"), want: "stable split"}, // cookie names have case
			{Request: get("Cookie: user_group=other"), want: "stable split"},
			{Request: get("Cookie: mark="), want: "canary rule:marked"},
			{Request: get(), want: "stable split"},
		},
	},
	{
		name: "query",
		site: site(checkout(rule("v", `query("v") == "2"`), rule("spaced", `query("q") == "a b&c"`), rule("flag", `query("flag").exists()`))),
		exchanges: []exchange{
			{Request: at("/?v=2"), want: "canary rule:v"},
			{Request: at("/?a=1&v=2&b=3"), want: "canary rule:v"},
			{Request: at("/?v=1&v=2"), want: "stable split"}, // the first value counts
			{Request: at("/?xv=2"), want: "stable split"},
			{Request: at("/?q=a+b%26c"), want: "canary rule:spaced"},
			{Request: at("/?%71=a%20b%26c"), want: "canary rule:spaced"},
			{Request: at("/?flag"), want: "canary rule:flag"},
			{Request: at("/?flag="), want: "canary rule:flag"},
			{Request: at("/"), want: "stable split"},
		},
	},
	{
		name: "numbers",
		site: site(checkout(
			rule("eq", `header("X-Eq") == 2`),
			rule("ne", `header("X-Ne-On").exists() && header("X-Ne") != 2`),
			rule("lt", `header("X-Lt") < 10`),
			rule("le", `header("X-Le") <= 10`),
			rule("gt", `header("X-Gt") > -1.5`),
			rule("ge", `header("X-Ge") >= 1.5`),
		)),
		exchanges: []exchange{
			{Request: get("X-Eq: 2"), want: "canary rule:eq"},
			{Request: get("X-Eq: 2.0"), want: "canary rule:eq"},
			{Request: get("X-Eq: two"), want: "stable split"},
			{Request: get("X-Eq: 3"), want: "stable split"},
			{Request: get("X-Ne-On: 1", "X-Ne: 3"), want: "canary rule:ne"},
			{Request: get("X-Ne-On: 1", "X-Ne: two"), want: "canary rule:ne"}, // not a number is not 2
			{Request: get("X-Ne-On: 1"), want: "canary rule:ne"},
			{Request: get("X-Ne-On: 1", "X-Ne: 2"), want: "stable split"},
			{Request: get("X-Lt: 9"), want: "canary rule:lt"}, // as text "9" is above "10"
			{Request: get("X-Lt: 10"), want: "stable split"},
			{Request: get("X-Lt: nine"), want: "stable split"},
			{Request: get("X-Le: 10"), want: "canary rule:le"},
			{Request: get("X-Le: 10.5"), want: "stable split"},
			{Request: get("X-Gt: -1"), want: "canary rule:gt"},
			{Request: get("X-Gt: -1.5"), want: "stable split"},
			{Request: get("X-Gt: x"), want: "stable split"},
			{Request: get("X-Ge: 1.5"), want: "canary rule:ge"},
			{Request: get("X-Ge: 1.49"), want: "stable split"},
		},
	},
	{
		name: "nesting and negation",
		site: site(checkout(
			rule("nested", `!(header("A") == "1" || header("B") == "1") && (header("C") == "1" || (header("D") == "1" && !header("E").exists()))`),
			rule("binds", `header("X") == "1" || header("Y") == "1" && header("Z") == "1"`), // && binds tighter
		)),
		exchanges: []exchange{
			{Request: get("C: 1"), want: "canary rule:nested"},
			{Request: get("C: 1", "A: 1"), want: "stable split"},
			{Request: get("C: 1", "B: 1"), want: "stable split"},
			{Request: get("D: 1"), want: "canary rule:nested"},
			{Request: get("D: 1", "E:"), want: "stable split"},
			{Request: get("D: 1", "E: 1", "C: 1"), want: "canary rule:nested"},
			{Request: get("X: 1"), want: "canary rule:binds"},
			{Request: get("Y: 1"), want: "stable split"},
			{Request: get("Y: 1", "Z: 1"), want: "canary rule:binds"},
		},
	},
}

var languageScenarios = []scenario{
	{
		name: "every value",
		site: site(checkout(
			rule("path", `path() == "/beta/x"`),
			rule("method", `method() == "PUT"`),
			rule("host", `host() == "beta.example"`),
			rule("scheme", `scheme() == "http" && header("X-Scheme").exists()`),
			rule("https", `scheme() == "https"`),
			rule("constant", `true && header("X-True").exists()`),
			rule("never", `false || header("X-False") == "set"`),
		)),
		exchanges: []exchange{
			{Request: at("/beta/x"), want: "canary rule:path"},
			{Request: at("/beta/x?y=1"), want: "canary rule:path"},
			{Request: at("/beta/%78"), want: "canary rule:path"},
			{Request: at("/beta/x/"), want: "stable split"},
			{Request: gateway.Request{Method: "PUT", Body: "x"}, want: "canary rule:method"},
			{Request: gateway.Request{Method: "POST", Body: "x"}, want: "stable split"},
			{Request: gateway.Request{Host: "beta.example"}, want: "canary rule:host"},
			{Request: gateway.Request{Host: "alpha.example"}, want: "stable split"},
			{Request: get("X-Scheme: 1"), want: "canary rule:scheme"},
			{Request: get("X-True: 1"), want: "canary rule:constant"},
			{Request: get("X-False: set"), want: "canary rule:never"},
		},
	},
	{
		name: "every method",
		site: site(checkout(
			rule("in", `header("X-In").in("a", "b c")`),
			rule("has", `header("X-Has").has("beta")`),
			rule("contains", `header("X-Contains").contains("iPhone")`),
			rule("prefix", `path().hasPrefix("/beta/")`),
			rule("suffix", `path().hasSuffix(".php")`),
			rule("matches", `header("X-Matches").matches("^v[2-9]\\.")`),
			rule("exists", `header("X-Exists").exists()`),
			rule("lower", `header("X-Lower").lower() == "beta"`),
			rule("lower-in", `header("X-Lower-In").lower().in("a", "b")`),
		)),
		exchanges: []exchange{
			{Request: get("X-In: a"), want: "canary rule:in"},
			{Request: get("X-In: b c"), want: "canary rule:in"},
			{Request: get("X-In: c"), want: "stable split"},
			{Request: get("X-Has: alpha, beta"), want: "canary rule:has"},
			{Request: get("X-Has: alpha beta"), want: "stable split"},
			{Request: get("X-Contains: Mozilla (iPhone; x)"), want: "canary rule:contains"},
			{Request: get("X-Contains: Mozilla (iphone; x)"), want: "stable split"},
			{Request: at("/beta/"), want: "canary rule:prefix"},
			{Request: at("/beta"), want: "stable split"},
			{Request: at("/x.php?y"), want: "canary rule:suffix"},
			{Request: at("/x.php/y"), want: "stable split"},
			{Request: get("X-Matches: v2.1"), want: "canary rule:matches"},
			{Request: get("X-Matches: v1.2.1"), want: "stable split"},
			{Request: get("X-Exists:"), want: "canary rule:exists"},
			{Request: get("X-Lower: BeTa"), want: "canary rule:lower"},
			{Request: get("X-Lower: gamma"), want: "stable split"},
			{Request: get("X-Lower-In: B"), want: "canary rule:lower-in"},
		},
	},
	{
		name: "a set from a file follows the file",
		site: site(checkout()),
		run: func(t *testing.T, g *gateway.Gateway) {
			file := filepath.Join(g.Dir, "users.txt")
			write := func(lines string) {
				if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("anna\nbernd\n")
			g.Reload(t, site(checkout(rule("users", `header("X-User").inFile(`+strconv.Quote(file)+`)`))))
			exchange{Request: get("X-User: anna"), want: "canary rule:users"}.check(t, g)
			exchange{Request: get("X-User: bernd"), want: "canary rule:users"}.check(t, g)
			exchange{Request: get("X-User: ann"), want: "stable split"}.check(t, g)
			exchange{Request: get(), want: "stable split"}.check(t, g)

			write("carla\n")
			gateway.Eventually(t, "the new content counts", func() bool {
				return g.Get(t, "/", "X-User: carla").Backend() == "canary"
			})
			exchange{Request: get("X-User: anna"), want: "stable split"}.check(t, g)

			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			gateway.Eventually(t, "the missing file is logged", func() bool {
				return strings.Contains(g.Log(), file)
			})
			exchange{Request: get("X-User: carla"), want: "canary rule:users"}.check(t, g)
		},
	},
}

var addressScenarios = []scenario{
	{
		name: "client address",
		site: site(checkout(rule("net", `ip().in("127.0.0.2/31", "10.0.0.0/8")`), rule("host", `ip() == "127.0.0.9"`), rule("v6", `ip().in("2001:db8::/32")`))),
		exchanges: []exchange{
			{Request: from("127.0.0.1"), want: "stable split"},
			{Request: from("127.0.0.2"), want: "canary rule:net"},
			{Request: from("127.0.0.3"), want: "canary rule:net"},
			{Request: from("127.0.0.4"), want: "stable split"},
			{Request: from("127.0.0.9"), want: "canary rule:host"},
		},
	},
	{
		name: "a client cannot choose its address",
		site: site(checkout(rule("net", `ip().in("10.0.0.0/8")`))),
		exchanges: []exchange{
			{Request: get("X-Forwarded-For: 10.0.0.1"), want: "stable split"},
			{Request: get("X-Real-IP: 10.0.0.1"), want: "stable split"},
			{Request: get("Forwarded: for=10.0.0.1"), want: "stable split"},
		},
	},
	{
		name: "client address behind a trusted proxy",
		site: gateway.Site{
			TrustedProxies: []string{"127.0.0.2/32"},
			Rollouts:       []gateway.Rollout{checkout(rule("net", `ip().in("10.0.0.0/8")`), rule("v6", `ip().in("2001:db8::/32")`))},
		},
		exchanges: []exchange{
			{Request: from("127.0.0.2", "X-Forwarded-For: 10.0.0.1"), want: "canary rule:net"},
			{Request: from("127.0.0.2", "X-Forwarded-For: 2001:db8::1"), want: "canary rule:v6"},
			{Request: from("127.0.0.2", "X-Forwarded-For: 192.0.2.1"), want: "stable split"},
			{Request: from("127.0.0.2"), want: "stable split"},
			{Request: from("127.0.0.1", "X-Forwarded-For: 10.0.0.1"), want: "stable split"}, // not the proxy
		},
	},
}
