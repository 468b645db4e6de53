package simulation

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

func weighted(weight string, rules ...core.Rule) core.Config {
	return core.Config{
		Name: "shop", Variants: []core.Variant{{Name: "stable"}, {Name: "canary", Weight: weight}, {Name: "blue", Weight: "10%"}},
		Key: []string{`cookie("uid")`}, Rules: rules,
	}
}

func TestMovement(t *testing.T) {
	before := rehearse(t, weighted("5%", core.Rule{Name: "v2", Use: "canary", When: `header("X-Version") == "v2"`}))
	after := rehearse(t, weighted("9%"))
	r := NewReplay(before, after)
	const n = 20_000
	for i := range n {
		q := core.Question{URL: "http://shop.example/"}
		if i%10 == 0 {
			q.Headers = map[string][]string{"X-Version": {"v2"}}
		}
		if err := before.Identify(&q, i); err != nil {
			t.Fatal(err)
		}
		if err := r.Add(t.Context(), q, q, monday); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Add(t.Context(), core.Question{URL: "shop"}, core.Question{}, monday); !errors.Is(err, core.ErrQuestion) {
		t.Errorf("no request: %v", err)
	}
	got := r.Tally()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 5*math.Sqrt(want/n) {
			t.Errorf("%s: %v, want about %v", what, got, want)
		}
	}
	if got.Requests != n || got.Clients != n || got.Refused != 1 || len(got.Rules) != 1 || got.Rules[0].Name != "v2" || got.Rules[0].Requests != n/10 {
		t.Errorf("%+v", got)
	}
	near("canary before", got.Variants[1].Share, 0.1+0.9*0.05)
	near("canary after", got.Movement.Variants[1].Share, 0.09)
	moves := map[string]Move{}
	for _, m := range got.Movement.Moves {
		moves[m.From+" to "+m.To] = m
	}
	near("to the canary", moves["stable to canary"].Clients, 0.9*0.04)
	near("from the canary", moves["canary to stable"].Clients, 0.1*0.81)
	near("to blue", moves["canary to blue"].Clients, 0.1*0.1)
	near("all", got.Movement.Requests, 0.036+0.081+0.01)
	if len(moves) != 3 || got.Movement.Clients != got.Movement.Requests {
		t.Errorf("%+v", got.Movement)
	}
}

// TestManyClients: of many clients a sample is kept, and what is said of all is nearly true.
func TestManyClients(t *testing.T) {
	s := sample{of: map[uint64]pair{}}
	const n = 400_000
	for i := range n {
		moves := pair{"a", "a"}
		if i%4 == 0 {
			moves.to = "b"
		}
		s.add("client-"+strconv.Itoa(i), moves)
		if i%3 == 0 {
			s.add("client-"+strconv.Itoa(i/2), moves)
		}
	}
	moved := 0
	for _, moves := range s.of {
		if moves.to == "b" {
			moved++
		}
	}
	if len(s.of) > mostClients || len(s.of) < mostClients/3 {
		t.Errorf("%d clients are kept", len(s.of))
	}
	if all := len(s.of) << s.level; math.Abs(float64(all)-n) > 0.03*n || math.Abs(float64(moved)/float64(len(s.of))-0.25) > 0.01 {
		t.Errorf("%d clients, of which %d of %d are moved", all, moved, len(s.of))
	}
}

func TestIdentify(t *testing.T) {
	for key, config := range map[string]core.Config{
		`header("X-User").lower()`: {}, `query("u")`: {}, `ip()`: {}, `claim("sub")`: {JWT: core.JWT{Secret: strings.Repeat("secret", 8)}},
		`header("Host")`: {}, `cookie("uid")`: {Sticky: core.Sticky{Mode: "memory"}},
	} {
		config.Name, config.Key = "shop", []string{key}
		config.Variants = []core.Variant{{Name: "stable"}, {Name: "canary", Weight: "50%"}}
		e := rehearse(t, config)
		keys := map[string]bool{}
		for n := range 3 {
			q := core.Question{URL: "http://shop.example/?a=b", Headers: map[string][]string{"Cookie": {"theme=dark"}}}
			if err := e.Identify(&q, n); err != nil {
				t.Fatal(err)
			}
			x, err := e.Explain(t.Context(), q, monday)
			if err != nil {
				t.Fatal(err)
			}
			keys[x.Key.Key] = true
		}
		if len(keys) != 3 || keys[""] {
			t.Errorf("%s: %v", key, keys)
		}
	}
	e := rehearse(t, core.Config{Name: "shop", Variants: []core.Variant{{Name: "stable"}}, Key: []string{`path()`}})
	if err := e.Identify(&core.Question{}, 1); err == nil || !strings.Contains(err.Error(), "path()") {
		t.Errorf("by path: %v", err)
	}
}

func TestReadLog(t *testing.T) {
	log := `{"level":"info","ts":1795334400.5,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"10.0.0.9","remote_port":"5","client_ip":"192.0.2.1","proto":"HTTP/2.0","method":"POST","host":"shop.example","uri":"/cart?v=1","headers":{"Cookie":["REDACTED"],"X-User":["ada"]},"tls":{"version":772}},"status":200,"rollout_checkout":"canary","rollout_checkout_reason":"split"}
{"ClientAddr":"10.0.0.9:5","ClientHost":"192.0.2.7, 192.0.2.2","RequestHost":"shop.example","RequestPort":"8080","RequestMethod":"GET","RequestPath":"/?a=b","RequestScheme":"http","StartUTC":"2026-11-22T12:00:00.25Z","request_X-User":"bob","request_Cookie":"uid=1","level":"info","msg":"","time":"2026-11-22T12:00:00Z"}
{"level":"info","msg":"server running"}
no JSON
{"request": 5}

{"request":{"method":"GET","host":"shop.example","uri":"*"},"ts":"2026-11-22T12:00:00Z"}
`
	var got []*Logged
	others, err := ReadLog(strings.NewReader(log), func(l *Logged) error { got = append(got, l); return nil })
	if err != nil || others != 4 || len(got) != 3 {
		t.Fatalf("%d requests, %d other lines: %v", len(got), others, err)
	}
	first, second := got[0], got[1]
	if q := first.Question; q.Method != "POST" || q.URL != "https://shop.example/cart?v=1" || q.IP != "192.0.2.1" || q.Headers["X-User"][0] != "ada" ||
		len(q.Headers["Cookie"]) > 0 || !first.Redacted || first.Decided["checkout"] != "canary" || len(first.Decided) != 1 || first.Time.UnixMilli() != 1795334400500 {
		t.Errorf("Caddy: %+v", first)
	}
	if q := second.Question; q.Method != "GET" || q.URL != "http://shop.example:8080/?a=b" || q.IP != "192.0.2.2" || q.Headers["X-User"][0] != "bob" ||
		q.Headers["Cookie"][0] != "uid=1" || second.Redacted || second.Time.Format("15:04:05.00") != "12:00:00.25" {
		t.Errorf("Traefik: %+v", second)
	}
	if _, err := ReadLog(strings.NewReader("hello\n"), nil); !errors.Is(err, ErrNoRequest) {
		t.Errorf("no log: %v", err)
	}
	if _, err := ReadLog(strings.NewReader(strings.Repeat("x", maxLine+2)), nil); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("an endless line: %v", err)
	}
	stop := errors.New("enough")
	if _, err := ReadLog(strings.NewReader(log), func(*Logged) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

// FuzzParseLine: whatever stands in a log is a request, or none.
func FuzzParseLine(f *testing.F) {
	f.Add(`{"request":{"method":"GET","host":"a","uri":"/","headers":{"A":["b"]}},"ts":1,"rollout_a":"b"}`)
	f.Add(`{"RequestMethod":"GET","RequestHost":"a","RequestPath":"/","request_A":"b","ClientHost":"::1"}`)
	f.Fuzz(func(t *testing.T, line string) {
		l, err := ParseLine([]byte(line))
		if (l == nil) == (err == nil) {
			t.Fatalf("%v, %v", l, err)
		}
	})
}
