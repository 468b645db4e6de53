package core

import (
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// recalled decides as an interpreted host does, and tells whether a look-up was enough.
func recalled(e *Engine, r *http.Request, address string, now time.Time) (*Decision, bool) {
	if d := Recall(e, r); d != nil {
		return d, true
	}
	return Decide(e, r, address, now), false
}

// remembers reports whether a request is decided by a look-up when it comes again, whichever way it takes.
func remembers(e *Engine, r *http.Request) bool {
	before := places(e)
	recalled(e, r, "192.0.2.1", noon)
	return places(e) > before
}

// places returns how many findings an engine remembers.
func places(e *Engine) int {
	n := 0
	if e.memory != nil {
		e.memory.places.Range(func(_, _ any) bool { n++; return true })
	}
	return n
}

// rememberedConfig returns a rollout whose rules look at anything.
func rememberedConfig(random *rand.Rand) Config {
	config := checkout()
	config.Rules = nil
	conditions := []string{
		`header("X-Version") == "v2"`, `header("X-Group").in("a", "b")`, `cookie("group") == "staff"`, `header("X-Version").exists()`, `header("X-User").has("2")`,
		`ip() == "192.0.2.1"`, `host() == "shop.example"`, `method() == "POST"`,
	}
	for i := random.Intn(4); i > 0; i-- {
		config.Rules = append(config.Rules, Rule{
			Name: fmt.Sprint("rule", i), Use: []string{"stable", "canary", "blue"}[random.Intn(3)], Percent: []string{"", "", "40%"}[random.Intn(3)],
			When: conditions[random.Intn(len(conditions))],
		})
	}
	keys := [][]string{{`cookie("uid")`}, {`cookie("uid")`, `ip()`}, {`header("X-User")`, `cookie("uid").lower()`}, {`ip()`}, {`method()`}}
	config.Key = keys[random.Intn(len(keys))]
	if random.Intn(4) == 0 {
		config.Ends = "2026-11-21T12:00:00Z" // noon
	}
	return config
}

func rememberedRequest(random *rand.Rand) (r *http.Request, address string) {
	var headers []string
	for _, header := range []string{"X-Version: v2", "X-Version: ", "X-Group: a", "X-Group: c", "X-User: 1,2", "X-User: ", "Cookie: group=staff"} {
		if random.Intn(9) == 0 {
			headers = append(headers, header)
		}
	}
	if random.Intn(6) > 0 {
		headers = append(headers, fmt.Sprintf("Cookie: theme=dark; uid=%d", random.Intn(9)))
	}
	r = get(headers...)
	if random.Intn(6) == 0 {
		r.Method = http.MethodPost
	}
	if random.Intn(6) == 0 {
		r.Host = "other.example"
	}
	return r, []string{"192.0.2.1", "192.0.2.2", ""}[random.Intn(3)]
}

// TestRemembersWhatItWouldDecide: an engine with a memory decides as one without, while time passes and weights change.
func TestRemembersWhatItWouldDecide(t *testing.T) {
	const seed = 41
	random := rand.New(rand.NewSource(seed))
	hits := 0
	for n := 0; n < 60; n++ {
		config := rememberedConfig(random)
		live := NewLive()
		plain, e := compile(t, config, live, Host{}), inForce(t, config, live, Host{Remember: true})
		if e.memory == nil {
			t.Fatalf("no memory for %+v", config)
		}
		for i := 0; i < 60; i++ {
			if random.Intn(20) == 0 {
				if err := weigh(e, "canary", fmt.Sprint(random.Intn(90))); err != nil {
					t.Fatal(err)
				}
			}
			now := noon.Add(time.Duration(random.Intn(3)-1) * time.Hour)
			r, address := rememberedRequest(random)
			want := plain.Decide(r, address, now)
			got, hit := recalled(e, r, address, now)
			if alone(*got) != alone(want) {
				t.Fatalf("seed %d: %s %s %v from %q at %s, from memory: %v: %+v, want %+v of\n%+v", seed, r.Method, r.URL, r.Header, address, now, hit, *got, want, config)
			}
			if hit {
				hits++
			}
		}
	}
	if hits < 300 {
		t.Errorf("only %d of 3600 requests were recalled", hits)
	}
}

func TestRemembersOnlyWhatLasts(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *Config)
		header string
		want   bool
	}{
		"a key":                      {nil, "Cookie: uid=1", true},
		"no key":                     {nil, "X-Other: 1", true},
		"a rule":                     {nil, "X-Version: v2", true},
		"a key that is drawn":        {func(c *Config) { c.Key = []string{`cookie("uid")`, `random()`} }, "X-Other: 1", false},
		"a percentage that is drawn": {func(c *Config) { c.Key = []string{`random()`} }, "X-Region: eu", false},
		"a long cookie":              {nil, "Cookie: uid=1; filler=" + strings.Repeat("x", maxBasis), false},
		"a zero byte":                {nil, "Cookie: uid=1\x00", false},
		"a random condition":         {func(c *Config) { c.Rules[0].When = `random() < 0.5` }, "Cookie: uid=1", false},
		"callers that are followed":  {func(c *Config) { c.Announce.Follow = []string{"10.0.0.0/8"} }, "Cookie: uid=1", false},
	} {
		config := checkout()
		if test.change != nil {
			test.change(&config)
		}
		e := compile(t, config, nil, Host{Remember: true})
		if got := remembers(e, get(test.header)); got != test.want {
			t.Errorf("%s: remembered: %v", name, got)
		}
	}
	if remembers(compile(t, checkout(), nil, Host{}), get("Cookie: uid=1")) {
		t.Error("an engine remembers though its host does not ask for it")
	}
}

// TestFilesOutdateMemory: what a file says counts from the moment in which it is read.
func TestFilesOutdateMemory(t *testing.T) {
	path := t.TempDir() + "/users.txt"
	config := checkout()
	config.Rules = []Rule{{Name: "listed", Use: "canary", When: `cookie("uid").inFile("` + path + `")`}}
	var e *Engine
	for i, test := range []struct{ content, want string }{{"ada\n", "rule"}, {"bob\n", "split"}, {"ada\nbob\n", "rule"}} {
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp := noon.Add(time.Duration(i) * time.Minute) // a test writes faster than file systems tell times apart
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
		if e == nil {
			e = compile(t, config, nil, Host{Remember: true})
		}
		e.files.Check(e.reread)
		for k := 0; k < 2; k++ {
			d, hit := recalled(e, get("Cookie: uid=ada"), "", noon)
			if string(d.Reason) != test.want || hit != (k == 1) {
				t.Errorf("%q, request %d: by %s, from memory: %v", test.content, k+1, d.Reason, hit)
			}
		}
	}
}

// TestRecallTells: the upstream hears of a decision that is recalled what it hears of one that is made.
func TestRecallTells(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"a header":       func(_ *Config) {},
		"no header":      func(c *Config) { c.Announce.Request, c.Announce.Response = "off", "X-Variant" },
		"baggage":        func(c *Config) { c.Announce.Baggage = true },
		"another header": func(c *Config) { c.Announce.Request = "X-Variant_Name" },
	} {
		config := checkout()
		change(&config)
		e := compile(t, config, nil, Host{Remember: true})
		for _, extra := range []string{"X-Other: 1", "X-Rollout_Variant: forged", "X-Rollout-Variant: forged", "X-Variant-Name: forged", "Baggage: a=1, rollout.checkout=forged",
			"Connection: X-Rollout-Variant, X-Variant_Name, Baggage, close", "Trailer: X-Rollout-Variant, X-Sum"} {
			decided := get("Cookie: uid=1", extra)
			Tell(e, Decide(e, decided, "192.0.2.1", noon), decided)
			recalled := get("Cookie: uid=1", extra)
			recalled.Trailer = http.Header{"X-Rollout-Variant": nil, "X-Sum": nil}
			decided.Trailer = http.Header{"X-Sum": nil}
			if e.announcer.request != DefaultHeader {
				decided.Trailer["X-Rollout-Variant"] = nil
			}
			if Recall(e, recalled) == nil {
				t.Fatalf("%s, %s: not recalled", name, extra)
			}
			if fmt.Sprint(recalled.Header) != fmt.Sprint(decided.Header) || fmt.Sprint(recalled.Trailer) != fmt.Sprint(decided.Trailer) {
				t.Errorf("%s, %s: the upstream hears %v %v, want %v %v", name, extra, recalled.Header, recalled.Trailer, decided.Header, decided.Trailer)
			}
			plain := get("Cookie: uid=1", extra)
			if Recall(e, plain); fmt.Sprint(plain.Header) != fmt.Sprint(decided.Header) {
				t.Errorf("%s, %s, without trailers: the upstream hears %v, want %v", name, extra, plain.Header, decided.Header)
			}
		}
	}
}

// TestWeightsOutdateEveryMemory of a rollout: also those of engines of another configuration with the same weights.
func TestWeightsOutdateEveryMemory(t *testing.T) {
	live := NewLive()
	a, b := inForce(t, checkout(), live, Host{Remember: true}), compile(t, checkout(), live, Host{Remember: true})
	for _, e := range []*Engine{a, b} {
		recalled(e, get("Cookie: uid=1"), "", noon)
	}
	if err := weigh(a, "canary", "50%"); err != nil {
		t.Fatal(err)
	}
	for i, e := range []*Engine{a, b} {
		if places(e) != 0 {
			t.Errorf("engine %d remembers what it decided by other weights", i)
		}
	}
}
