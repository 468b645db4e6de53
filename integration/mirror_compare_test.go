package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// says answers JSON, with a header X-Kind unless that is empty.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if kind != "" {
			w.Header().Set("X-Kind", kind)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// compared is a journey in which both variants give an answer each, and in which so many of the fields differ.
func compared(name string, stable, canary http.HandlerFunc, parts []string, want ...string) journey {
	name = "differs-" + name
	m := gateway.Mirror{To: "canary", Compare: parts}
	if slices.Contains(parts, "json") {
		m.Ignore = []string{"$.time", "$.items[*].id"}
	}
	return journey{
		name:    name,
		rollout: mirrored(name, m),
		run: func(t *testing.T, p *pilot) {
			p.backend("stable").Answer(stable)
			p.backend("canary").Answer(canary)
			const n = 20
			for range n {
				p.get(t, "")
			}
			r := p.counted(t, "canary", "compared", n)
			var got []string
			for _, f := range r.Fields {
				got = append(got, f.Name)
				if f.Different != n {
					t.Errorf("%s differs %d times, want %d", f.Name, f.Different, n)
				}
			}
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("what differs is %q, want %q", got, want)
			}
			mismatch := 0.0
			if len(want) > 0 {
				mismatch = 1
			}
			if r.Compared != n || r.Mismatch != mismatch || (len(want) > 0) != (len(r.Pairs) == n) {
				t.Errorf("%d compared, mismatch %g, %d pairs", r.Compared, r.Mismatch, len(r.Pairs))
			}
		},
	}
}

var (
	document = says(200, "a", `{"price": 1, "time": 1, "items": [{"id": 1, "name": "x"}]}`)
	variant  = says(200, "b", `{"items": [{"name": "y", "id": 2}], "time": 2, "price": 1.0}`)
)

var compareJourneys = []journey{
	compared("status", says(200, "", "{}"), says(500, "", "{}"), []string{"status"}, "status"),
	compared("header", document, variant, []string{"status", "header x-kind"}, "header X-Kind"),
	compared("body", document, variant, []string{"status", "body"}, "body"),
	compared("json", document, variant, []string{"status", "json"}, "$.items[*].name"),
	compared("nothing", document, says(200, "b", `{"time": 3, "items": [{"id": 5, "name": "x"}], "price": 1}`), []string{"status", "json"}),
	{
		name: "noise is no difference",
		rollout: mirrored("noisy",
			gateway.Mirror{To: "canary", Percent: "100%", Compare: []string{"status", "json"}, Control: true}),
		run: func(t *testing.T, p *pilot) {
			now := func(status int) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					says(status, "", fmt.Sprintf(`{"id": "%d", "price": 1}`, time.Now().UnixNano()))(w, r)
				}
			}
			p.backend("stable").Answer(now(200))
			p.backend("canary").Answer(now(200))
			for range 30 {
				p.get(t, "")
			}
			r := p.counted(t, "canary", "compared", 30)
			if f := r.Field("$.id"); !r.Controlled || r.Mismatch != 0 || f.Different != 30 || f.Noise != 30 || f.Above || len(r.Fields) != 1 {
				t.Errorf("of noise alone: %+v", r)
			}
			if n := p.backend("stable").Count(""); n != 60 {
				t.Errorf("the baseline got %d requests, want each twice", n)
			}
			p.backend("canary").Answer(now(201))
			for range 30 {
				p.get(t, "")
			}
			r = p.counted(t, "canary", "compared", 60)
			if f := r.Field("status"); !f.Above || f.Different != 30 || f.Noise != 0 || r.Mismatch != 0.5 || r.Field("$.id").Above {
				t.Errorf("of a real difference: %+v", r)
			}
		},
	},
	{
		name:    "what is shown of answers that differ",
		rollout: mirrored("shown", gateway.Mirror{To: "canary", Compare: []string{"status", "header Location", "header Set-Cookie", "json"}}),
		run: func(t *testing.T, p *pilot) {
			answer := func(code int, secret string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", "/next?token="+secret)
					w.Header().Set("Set-Cookie", "session="+secret)
					says(code, "", `{"email": "`+secret+`"}`)(w, r)
				}
			}
			p.backend("stable").Answer(answer(200, "first-secret"))
			p.backend("canary").Answer(answer(404, "second-secret"))
			for i := range 110 {
				p.g.Get(t, fmt.Sprintf("/shown/%d?token=query-secret&page=2", i), "Authorization: Bearer header-secret", "Cookie: session=cookie-secret", "X-Request-Id: r-42")
				p.counted(t, "canary", "compared", int64(i+1)) // one after the other
			}
			r := p.report(t, "canary")
			if len(r.Pairs) != 100 || r.Pairs[0].Path != "/shown/10?page=…&token=…" || r.Pairs[99].Path != "/shown/109?page=…&token=…" {
				t.Fatalf("%d pairs: %+v", len(r.Pairs), r.Pairs)
			}
			last := r.Pairs[99]
			if last.Method != "GET" || last.RequestID != "r-42" || len(last.Fields) != 4 || last.Fields[0] != (gateway.MirrorDifference{Field: "status", Baseline: "200", Target: "404"}) {
				t.Errorf("the last: %+v", last)
			}
			text, err := p.g.CommandLine(t, "mirror", p.rollout.Name).CombinedOutput()
			all, jsonErr := p.g.CommandLine(t, "mirror", p.rollout.Name, "--json").CombinedOutput()
			if err != nil || jsonErr != nil || !json.Valid(all) {
				t.Fatalf("grayling mirror: %v, %v: %s%s", err, jsonErr, text, all)
			}
			for _, part := range []string{"Mirror:    canary\n", "Compared:  110, of which 100.00% differ\n", "GET /shown/109?page=…&token=…  r-42  status", "$.email"} {
				if !strings.Contains(string(text), part) {
					t.Errorf("grayling mirror has no %q:\n%s", part, text)
				}
			}
			if strings.Contains(string(all)+string(text), "-secret") || strings.Contains(p.g.Log(), "-secret") {
				t.Errorf("a secret is shown:\n%s", all)
			}
			expectExit(t, p.g.CommandLine(t, "mirror", "shwon"), 1)
		},
	},
}

// dark is a plan whose first step shows the canary to nobody, and goes on only if its answers agree.
func dark(name, check string) gateway.Rollout {
	r := planned(name, step("0%", "2s"), step("50%", "1s"), step("100%", ""))
	r.Plan.Checks = []string{check}
	r.Mirrors = []gateway.Mirror{{To: "canary", Compare: []string{"status"}}}
	return r
}

var darkJourneys = []journey{
	{
		name:    "a plan that begins in the dark goes on if the answers agree",
		rollout: dark("agrees", `mirror_mismatch("canary") <= 0.01`),
		run: func(t *testing.T, p *pilot) {
			l := p.traffic(t, p.users(50))
			p.awaitState(t, "promoted", 0)
			p.expectStory(t, "started 1, step_advanced 2, promoted 3")
			l.Stop()
			expectAllAnswered(t, l)
			second := p.last(t, "step_advanced").Time
			for _, r := range l.Responses() {
				if byCanary(r) && r.Ended.Before(second) {
					t.Errorf("in the dark %s answered", r.Backend)
				}
			}
		},
	},
	{
		name:    "a plan that begins in the dark ends there if they do not",
		rollout: dark("disagrees", `mirror_mismatch("canary") <= 0.01`),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Fail(0.5)
			l := p.traffic(t, p.users(50))
			s := p.awaitState(t, "rolled_back", 0)
			if s.Cause != "check" || !strings.Contains(s.Reason, "mirror_mismatch") {
				t.Errorf("rolled back by %q: %s", s.Cause, s.Reason)
			}
			p.expectStory(t, "started 1, rolled_back 1 check")
			l.Stop()
			expectAllAnswered(t, l)
			if n := l.Count(byCanary); n > 0 {
				t.Errorf("the canary answered %d clients", n)
			}
		},
	},
	{
		name:    "a plan that begins in the dark holds as long as there are no copies",
		rollout: dark("waits", `mirror_mismatch("canary") <= 0.01`),
		run: func(t *testing.T, p *pilot) {
			s := p.await(t, "it holds", func(s gateway.Status) bool { return s.Held && s.Verdict() == "hold" })
			if s.State != "progressing" || s.Step != 1 {
				t.Errorf("without copies: %+v", s)
			}
			p.traffic(t, p.users(50))
			p.awaitState(t, "promoted", 0)
		},
	},
}
