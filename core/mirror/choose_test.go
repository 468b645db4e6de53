package mirror

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

func condition(t *testing.T, source string) *expr.Condition {
	t.Helper()
	c, problems := expr.ParseCondition(source, expr.Host{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

// silent is a sender that counts nothing and answers nothing.
func silent(_ *http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }

// chosen returns how many requests a mirror chose so far.
func chosen(l *Ledger) int64 { return l.Counts.Stopped.Load() }

// TestShareIsOfClients: a share takes exactly the clients whose slot lies in it. The runner does not run, so that what is
// chosen is counted at once.
func TestShareIsOfClients(t *testing.T) {
	key, problems := expr.ParseKey([]string{`header("X-User")`}, expr.Host{})
	if key == nil {
		t.Fatal(problems)
	}
	rollout := shop
	rollout.Key = key
	settings := Settings{Name: "canary", Share: balance.Full / 4, Concurrency: 1, Send: silent}
	other := settings
	other.Name = "b"
	m := New(rollout, []Settings{settings, other}, NewRunner(nil))
	salt := balance.NewSalt("shop/mirror/canary")
	taken, both := 0, 0
	for i := 0; i < 400; i++ {
		user := strconv.Itoa(i)
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("X-User", user)
		before, beforeOther := chosen(m.mirrors[0].ledger), chosen(m.mirrors[1].ledger)
		Begin(m, &expr.Input{Request: r}, "stable")
		isTaken := chosen(m.mirrors[0].ledger) > before
		if want := balance.Slot(salt, user) < balance.Slots/4; isTaken != want {
			t.Errorf("user %s is mirrored: %v, want %v", user, isTaken, want)
		}
		if isTaken {
			taken++
			if chosen(m.mirrors[1].ledger) > beforeOther {
				both++
			}
		}
	}
	if taken < 60 || taken > 140 || both < taken/10 || both > taken/2 {
		t.Errorf("of 400 clients a quarter are %d, of which another mirror takes %d", taken, both)
	}
}

func TestDrawnWithoutKey(t *testing.T) {
	m := New(shop, []Settings{{Name: "canary", Share: balance.Full / 2, Concurrency: 1, Send: silent}}, NewRunner(nil))
	for i := 0; i < 400; i++ {
		Begin(m, &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)}, "stable")
	}
	if n := chosen(m.mirrors[0].ledger); n < 100 || n > 300 {
		t.Errorf("%d of 400 requests were drawn, for a share of 50%%", n)
	}
}

func TestWhatIsChosen(t *testing.T) {
	always := Settings{Name: "canary", Share: balance.Full, Concurrency: 1, Send: silent}
	with := func(change func(s *Settings)) Settings {
		s := always
		change(&s)
		return s
	}
	for _, test := range []struct {
		name     string
		settings Settings
		method   string
		serving  string
		want     bool
	}{
		{"GET", always, "GET", "stable", true},
		{"HEAD", always, "HEAD", "stable", true},
		{"POST", always, "POST", "stable", false},
		{"POST, named", with(func(s *Settings) { s.Methods = []string{"POST"} }), "POST", "stable", true},
		{"GET, not named", with(func(s *Settings) { s.Methods = []string{"POST"} }), "GET", "stable", false},
		{"no share", with(func(s *Settings) { s.Share = 0 }), "GET", "stable", false},
		{"the condition holds", with(func(s *Settings) { s.When = condition(t, `path() == "/cart"`) }), "GET", "stable", true},
		{"the condition does not hold", with(func(s *Settings) { s.When = condition(t, `path() == "/"`) }), "GET", "stable", false},
		{"served by another variant", always, "GET", "b", true},
		{"served by the target", always, "GET", "canary", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(shop, []Settings{test.settings}, NewRunner(nil))
			r := httptest.NewRequest(test.method, "/cart", http.NoBody)
			Begin(m, &expr.Input{Request: r}, test.serving)
			if got := chosen(m.mirrors[0].ledger) == 1; got != test.want {
				t.Errorf("%s: chosen %v, want %v", test.name, got, test.want)
			}
		})
	}
}

// TestNoMirrors: a rollout may have none.
func TestNoMirrors(t *testing.T) {
	m := New(shop, nil, NewRunner(nil))
	if c := Begin(m, &expr.Input{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)}, "stable"); c != nil {
		t.Error("copies for no mirror")
	}
}
