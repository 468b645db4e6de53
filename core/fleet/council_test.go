package fleet

import (
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

var release = Release{Revision: "v2", Candidate: "canary"}

// gateway counts, and reports what it counted.
type gateway struct {
	id     string
	number int64
	trial  *analysis.Trial
	edit   func(r *Report)
}

func newGateway(id string) *gateway {
	return &gateway{id: id, trial: analysis.NewTrial([]string{"stable", "canary"})}
}

func (g *gateway) report() Report {
	g.number++
	r := Report{Number: g.number, Name: "edge-" + g.id, Revision: "v2", Candidate: "canary", Plan: "plan", State: "progressing", Entry: 1, Division: "99 1"}
	r.Counts = []analysis.Counts{g.trial.Counts(0), g.trial.Counts(1)}
	if g.edit != nil {
		g.edit(&r)
	}
	return r
}

func (g *gateway) filed(t *testing.T) store.Report {
	t.Helper()
	return filed(t, g.id, g.report())
}

func filed(t *testing.T, id string, r Report) store.Report {
	t.Helper()
	content, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return store.Report{Member: id, Content: content}
}

// alike returns the first reports of as many gateways, which counted nothing: their ids are numbers from first on. What they
// counted is looked up once, as interpreted that takes milliseconds.
func alike(t *testing.T, first, n int, edit func(r *Report)) []store.Report {
	t.Helper()
	one := newGateway("")
	one.edit = edit
	report := one.report()
	var reports []store.Report
	for id := first; id < first+n; id++ {
		report.Name = fmt.Sprintf("edge-%d", id)
		reports = append(reports, filed(t, fmt.Sprint(id), report))
	}
	return reports
}

// TestSumWhateverHappensToReports: of reports that get lost, come late, twice or in another order, from gateways that come
// and go, a judge makes the sum of all that was counted.
func TestSumWhateverHappensToReports(t *testing.T) {
	for seed := int64(1); seed <= 6; seed++ {
		random := rand.New(rand.NewSource(seed))
		all := analysis.NewTrial([]string{"stable", "canary"})
		judge := newGateway("j")
		council := NewCouncil(judge.id)
		others := []*gateway{newGateway("a"), newGateway("b"), newGateway("z")}
		var sent, old []store.Report
		hear := func(at time.Duration, reports []store.Report) {
			council.Hear(reports, true, judge.report(), release, at)
			council.AddTo(judge.trial, at)
			all.Turn(at)
			judge.trial.Turn(at)
		}
		for round := 1; round <= 60; round++ {
			for i := range others {
				g := others[i]
				for n := random.Intn(30); n > 0; n-- {
					variant, failure := random.Intn(2), random.Intn(20) == 0
					latency := time.Duration(random.ExpFloat64() * float64(20*time.Millisecond))
					analysis.Answered(all.Arm(variant), failure, latency)
					analysis.Answered(g.trial.Arm(variant), failure, latency)
				}
			}
			analysis.Unanswered(all.Arm(1))
			analysis.Unanswered(judge.trial.Arm(1))
			sent = nil
			for i := range others {
				if report := others[i].filed(t); random.Intn(3) > 0 {
					sent = append(sent, report)
				}
				if len(old) > 0 && random.Intn(3) == 0 { // an older one in its place, or besides
					sent = append(sent, old[random.Intn(len(old))])
				}
			}
			old = append(old, sent...)
			hear(time.Duration(round)*5*time.Second, sent)
			if random.Intn(10) == 0 { // it has said all, and begins again as another one
				i := random.Intn(len(others))
				hear(time.Duration(round)*5*time.Second, []store.Report{others[i].filed(t)})
				another := newGateway(fmt.Sprintf("n%d", round))
				others[i] = another
			}
		}
		sent = nil
		for i := range others {
			sent = append(sent, others[i].filed(t))
		}
		hear(301*time.Second, sent)
		for variant := 0; variant < 2; variant++ {
			if want, got := all.Tally(variant), judge.trial.Tally(variant); want != got {
				t.Errorf("seed %d: variant %d is %+v, want %+v", seed, variant, got, want)
			}
		}
	}
}

// TestNewcomersAreNotRecent: what a gateway counted before it was met is no news.
func TestNewcomersAreNotRecent(t *testing.T) {
	checks, problems := analysis.ParseChecks([]string{`error_rate("canary") <= 0.1`},
		analysis.Settings{Variants: []string{"stable", "canary"}, Candidate: 1, Window: time.Minute, Every: 10 * time.Second, MinRequests: 50, Alpha: 0.01})
	if checks == nil {
		t.Fatal(problems)
	}
	judge, other := newGateway("j"), newGateway("a")
	council := NewCouncil(judge.id)
	at := time.Duration(0)
	for ; at < 10*time.Minute; at += time.Second {
		analysis.AnsweredAlike(judge.trial.Arm(1), 10, false, time.Millisecond)
		judge.trial.Turn(at)
	}
	analysis.AnsweredAlike(other.trial.Arm(1), 300, true, time.Millisecond)
	council.Hear([]store.Report{other.filed(t)}, true, judge.report(), release, at)
	council.AddTo(judge.trial, at)
	result := checks.Evaluate(judge.trial, analysis.Look{Elapsed: at, For: time.Hour, Number: 60})
	if result.Verdict != "pass" || result.Requests != 6300 || result.Figures["canary_error_rate"] != 0 {
		t.Errorf("%s of %d requests: %s", string(result.Verdict), result.Requests, result.Reason)
	}
	analysis.AnsweredAlike(other.trial.Arm(1), 300, true, time.Millisecond)
	at += 5 * time.Second
	council.Hear([]store.Report{other.filed(t)}, true, judge.report(), release, at)
	council.AddTo(judge.trial, at)
	result = checks.Evaluate(judge.trial, analysis.Look{Elapsed: at, For: time.Hour, Number: 61})
	if result.Verdict == "pass" || result.Requests != 6600 || result.Figures["canary_error_rate"] < 0.3 {
		t.Errorf("%s of %d requests: %s", string(result.Verdict), result.Requests, result.Reason)
	}
}

// TestNewJudge: who begins in the middle of a step knows how it went, and takes nothing of that for recent.
func TestNewJudge(t *testing.T) {
	checks, problems := analysis.ParseChecks([]string{`error_rate("canary") <= 0.1`},
		analysis.Settings{Variants: []string{"stable", "canary"}, Candidate: 1, Window: time.Minute, Every: 10 * time.Second, MinRequests: 50, Alpha: 0.01})
	if checks == nil {
		t.Fatal(problems)
	}
	judge, other := newGateway("j"), newGateway("a")
	council := NewCouncil(judge.id)
	analysis.AnsweredAlike(other.trial.Arm(1), 10_000, false, time.Millisecond)
	analysis.AnsweredAlike(other.trial.Arm(1), 5000, true, time.Millisecond)
	for at := time.Hour; at < time.Hour+70*time.Second; at += 5 * time.Second {
		judge.trial.Turn(at)
		council.Hear([]store.Report{other.filed(t)}, true, judge.report(), release, at)
		council.AddTo(judge.trial, at)
		result := checks.Evaluate(judge.trial, analysis.Look{Elapsed: at, For: 2 * time.Hour, Number: 370})
		want := rollout.Pass
		if at == time.Hour {
			want = rollout.Hold
		}
		if result.Verdict != want || result.Figures["canary_error_rate"] != 0 || result.Requests < 15_000 {
			t.Errorf("at %s: %s of %d requests: %s", at.String(), string(result.Verdict), result.Requests, result.Reason)
		}
		analysis.AnsweredAlike(other.trial.Arm(1), 100, false, time.Millisecond)
	}
}

func TestJudges(t *testing.T) {
	for _, test := range []struct {
		name   string
		id     string
		others int
		edit   func(r *Report)
		n      int
		me     bool
		limit  int
	}{
		{"alone", "50", 0, nil, 1, true, 0},
		{"few", "50", 3, nil, 4, true, 0},
		{"first", "00", 60, nil, 5, true, 0},
		{"fifth", "14", 60, nil, 5, true, 0},
		{"sixth", "16", 60, nil, 5, false, FirstReports},
		{"last", "99", 60, nil, 5, false, FirstReports},
		{"among outdated ones", "99", 60, func(r *Report) { r.Outdated = true }, 1, true, 0},
		{"among those without a plan", "99", 60, func(r *Report) { r.Plan = "" }, 1, true, 0},
		{"among those of another revision", "99", 60, func(r *Report) { r.Revision = "v3" }, 1, true, 0},
		{"among those of another candidate", "99", 60, func(r *Report) { r.Candidate = "green" }, 1, true, 0},
		{"among those with other checks", "99", 60, func(r *Report) { r.Plan = "other" }, 5, false, FirstReports},
	} {
		judge := newGateway(test.id)
		council := NewCouncil(judge.id)
		if council.Limit() != FirstReports {
			t.Errorf("%s: a gateway that begins looks at %d reports", test.name, council.Limit())
		}
		var reports []store.Report
		for _, report := range alike(t, 10, test.others, test.edit) {
			if report.Member != test.id {
				reports = append(reports, report)
			}
		}
		council.Hear(reports, true, judge.report(), release, 0)
		if n, me := council.Judges(); n != test.n || me != test.me || council.Limit() != test.limit {
			t.Errorf("%s: %d judges, it is one: %v, and it looks at %d; want %d, %v, %d", test.name, n, me, council.Limit(), test.n, test.me, test.limit)
		}
		if len(reports) > FirstReports && test.limit > 0 {
			council.Hear(reports[:FirstReports], false, judge.report(), release, 0)
			if n, me := council.Judges(); n != test.n || me || council.Limit() != test.limit {
				t.Errorf("%s, by the first reports: %d judges, it is one: %v, and it looks at %d", test.name, n, me, council.Limit())
			}
		}
	}
}

// TestLooks: the more gateways there are, the less each of them reports and looks at the others, and nobody looks more often than it has
// to because of a deploy that has just begun.
func TestLooks(t *testing.T) {
	const alone = 5 * time.Second
	const many = 2 * manyMembers
	for _, test := range []struct {
		name   string
		id     string
		others int
		edit   func(r *Report) // of the others
		mine   func(r *Report)
		limit  int
		pause  time.Duration
		pace   time.Duration // with up to 25 rollouts
		pace50 time.Duration // with 50
		few    bool
	}{
		{"who judges", "00", 9, nil, nil, 0, 0, alone, alone, true},
		{"who does not", "99", 9, nil, nil, FirstReports, seldom, alone, alone, true},
		{"a judge of many", "00", 80, nil, nil, 0, 0, alone, alone, false},
		{"a judge of as many as there are reports a second for", "00", manyMembers - 1, nil, nil, 0, 0, alone, 2 * alone, false},
		{"a judge of more", "00", manyMembers, nil, nil, 0, 0, 2 * alone, 3 * alone, false},
		{"a judge of very many", "00", many, nil, nil, 0, 0, 3 * alone, 5 * alone, false},
		{"a judge of more than there ever were", "00", 80, func(r *Report) { r.Fleet = math.MaxInt64 }, nil, 0, 0, slowest, slowest, false},
		{"who does not judge among many", "99", 80, nil, nil, FirstReports, rarely, alone, alone, false},
		{"the same, and others know of more", "99", 80, func(r *Report) { r.Fleet = many }, nil, FirstReports, rarely, 2 * alone, 4 * alone, false},
		{"others who know what cannot be", "99", 80, func(r *Report) { r.Fleet = math.MinInt64 }, nil, FirstReports, rarely, alone, alone, false},
		{"who is outdated, and knows by whom", "99", 9, nil, func(r *Report) { r.Outdated = true }, FirstReports, seldom, alone, alone, true},
		{"who is outdated, and does not", "99", 9, func(r *Report) { r.Outdated = true }, func(r *Report) { r.Outdated = true }, 0, 0, alone, alone, true},
		{"the same among many", "99", 80, func(r *Report) { r.Outdated = true }, func(r *Report) { r.Outdated = true }, 0, rarely, alone, alone, false},
	} {
		me := newGateway(test.id)
		me.edit = test.mine
		council := NewCouncil(me.id)
		if !council.Few() || council.Limit() != FirstReports || council.Pause() != 0 || council.Pace(alone, 50) != alone || council.Size() != 0 {
			t.Errorf("%s, which begins: %d reports, %v, %v, of %d", test.name, council.Limit(), council.Pause(), council.Pace(alone, 50), council.Size())
		}
		reports := alike(t, 1000, test.others, test.edit) // behind 00, and before 99
		council.Hear(reports, true, me.report(), release, 0)
		if council.Limit() != test.limit || council.Pause() != test.pause || council.Few() != test.few {
			t.Errorf("%s looks at %d after %v, among few %v; want %d after %v, %v", test.name, council.Limit(), council.Pause(), council.Few(), test.limit, test.pause, test.few)
		}
		for rollouts, want := range map[int]time.Duration{0: test.pace, fewRollouts: test.pace, 2 * fewRollouts: test.pace50, math.MaxInt64: slowest} {
			if got := council.Pace(alone, rollouts); got != want {
				t.Errorf("%s reports %d rollouts every %v, want %v", test.name, rollouts, got, want)
			}
		}
		if council.Size() != test.others+1 {
			t.Errorf("%s says that there are %d, want %d", test.name, council.Size(), test.others+1)
		}
		council.Hear(nil, false, me.report(), release, 0)
		if council.Size() != 0 {
			t.Errorf("%s says that there are %d, and has not looked at all", test.name, council.Size())
		}
	}
}

func TestReportsThatAreNone(t *testing.T) {
	for _, content := range []string{"", "null", "{}", `{"format":2}`, `[]`, `{"format":1,"number":"x"}`, `{"format":1,"counts":[` + strings.Repeat("{},", 1000) + `{}]}`,
		`{"format":1,"name":"` + strings.Repeat("x", 201) + `"}`} {
		if r, err := Decode([]byte(content)); err == nil {
			t.Errorf("%.50s is taken for %+v", content, r)
		}
		council := NewCouncil("j")
		council.Hear([]store.Report{{Member: "a", Content: []byte(content)}}, true, newGateway("j").report(), release, 0)
		if len(council.Members()) != 1 {
			t.Errorf("%.50s is a gateway", content)
		}
	}
	g := newGateway("a")
	analysis.AnsweredAlike(g.trial.Arm(1), 7, true, time.Millisecond)
	r, err := Decode(g.filed(t).Content)
	if err != nil || r.Requests() != 7 || r.Failures() != 7 || r.Name != "edge-a" || r.Position().Entry != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestBehindTheFirst: who would judge last of all looks ever more seldom, and begins with that the later the more there are,
// until there are not enough before it.
func TestBehindTheFirst(t *testing.T) {
	me := newGateway("99")
	var council *Council
	var first []store.Report
	for _, test := range []struct {
		fleet   int
		minutes []int
	}{{3 * manyMembers, []int{3, 3, 3, 4, 5, 5}}, {manyMembers, []int{1, 2, 3, 4, 5, 5}}} {
		test := test
		council = NewCouncil(me.id)
		first = nil
		for i := 0; i < FirstReports; i++ {
			g := newGateway(fmt.Sprint(1000 + i))
			g.edit = func(r *Report) { r.Fleet = test.fleet }
			first = append(first, g.filed(t))
		}
		for _, minutes := range test.minutes {
			pause := time.Duration(minutes) * time.Minute
			council.Hear(first, false, me.report(), release, 0)
			if council.Pause() != pause || council.Limit() != FirstReports {
				t.Errorf("of %d it looks at %d after %v, want all that are first after %v", test.fleet, council.Limit(), council.Pause(), pause)
			}
		}
	}
	outdated := newGateway("1000")
	outdated.edit = func(r *Report) { r.Outdated = true }
	outdated.filed(t) // what follows is later than what they said
	for i := 0; i < FirstReports-4; i++ {
		outdated.id = fmt.Sprint(1000 + i)
		first[i] = outdated.filed(t)
	}
	council.Hear(first, false, me.report(), release, 0)
	if judges, me := council.Judges(); judges != MostJudges || !me || council.Pause() != 0 || council.Limit() != 0 {
		t.Errorf("four others can judge: %d do, this one %v, and looks at %d after %v", judges, me, council.Limit(), council.Pause())
	}
}
