package analysis

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"
)

// peer is a gateway whose counts another adds to its own.
type peer struct {
	trial *Trial
	told  []Counts // what was added of it
}

// news returns what is new since the last time.
func (p *peer) news(t *testing.T, from time.Duration) Added {
	t.Helper()
	added := Added{From: from}
	for i := range p.told {
		text, err := json.Marshal(p.trial.Counts(i))
		if err != nil {
			t.Fatal(err)
		}
		var counts Counts
		if err := json.Unmarshal(text, &counts); err != nil {
			t.Fatal(err)
		}
		more, possible := counts.Since(p.told[i])
		if !possible {
			t.Fatalf("%+v after %+v", counts, p.told[i])
		}
		p.told[i] = counts
		added.Counts = append(added.Counts, more)
	}
	return added
}

// TestSumIsAsOne: what several gateways counted is judged as if one had counted it.
func TestSumIsAsOne(t *testing.T) {
	checks := parsed(t, `!worse("canary")`, `error_rate("canary") <= 0.01`, `latency_ms("canary", 0.9) < 60`, `requests("canary") > 100`)
	verdicts := map[string]int{}
	for seed := int64(1); seed <= 3; seed++ {
		random := rand.New(rand.NewSource(seed))
		one, judge := newTrial(), newTrial()
		peers := []*peer{{trial: newTrial()}, {trial: newTrial()}, {trial: newTrial()}}
		for _, p := range peers {
			p.told = make([]Counts, len(one.names))
		}
		for second := 1; second <= 200; second++ {
			for n := random.Intn(80); n > 0; n-- {
				variant := random.Intn(len(one.names))
				latency := time.Duration(random.ExpFloat64() * float64(time.Duration(18+4*seed)*time.Millisecond))
				kind := random.Intn(100 * int(seed))
				by := judge
				if i := random.Intn(len(peers) + 1); i < len(peers) {
					by = peers[i].trial
				}
				if kind == 0 {
					Unanswered(one.Arm(variant))
					Unanswered(by.Arm(variant))
				} else {
					Answered(one.Arm(variant), kind == 1, latency)
					Answered(by.Arm(variant), kind == 1, latency)
				}
			}
			var added []Added
			for i := 0; i < len(peers) && second%5 == 0; i++ {
				added = append(added, peers[i].news(t, judge.now))
			}
			judge.Add(added)
			look := Look{Elapsed: time.Duration(second) * time.Second, Number: second, For: time.Hour}
			if second%10 != 0 {
				one.Turn(look.Elapsed)
				judge.Turn(look.Elapsed)
				continue
			}
			want, got := checks.Evaluate(one, look), checks.Evaluate(judge, look)
			verdicts[string(want.Verdict)]++
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Fatalf("seed %d, after %ds: %+v, want %+v", seed, second, got, want)
			}
		}
		for i := range one.names {
			if want, got := one.Tally(i), judge.Tally(i); want != got {
				t.Errorf("seed %d: %+v, want %+v", seed, got, want)
			}
		}
	}
	if len(verdicts) < 3 {
		t.Errorf("the verdicts were %v: want some of each", verdicts)
	}
}

// TestOldCountsAreNotRecent: what a gateway hears late is in the totals, and in no window that does not reach as far back.
func TestOldCountsAreNotRecent(t *testing.T) {
	trial := newTrial()
	end := play(trial, 300, healthy, healthy)
	trial.Add([]Added{{Counts: []Counts{{}, {Requests: 5, Failures: 5}, {}}, From: end}, {Counts: []Counts{{}, {Requests: 900, Failures: 900, Answers: []int64{400, 900}}, {}}}})
	moments := trial.present()
	last := back(moments, time.Minute, nil).sample(1)
	if last.requests() != 20*60+5 || last.failures() != 6+5 {
		t.Errorf("in the last minute %d failures of %d requests", last.failures(), last.requests())
	}
	if n := back(moments, time.Hour, nil).sample(1).requests(); n != 20*300+5 {
		t.Errorf("in a window as long as the step %d requests", n)
	}
	if all := trial.Tally(1); all.Requests != 20*300+905 || all.Failures != 30+905 {
		t.Errorf("in all %+v", all)
	}
	trial.Add([]Added{{Counts: []Counts{{}, {Requests: 70, Answers: []int64{400, 70}}, {}}, From: end - 100*time.Second}})
	moments = trial.present()
	if n := back(moments, 100*time.Second, nil).sample(1).requests(); n != 20*100+5+70 {
		t.Errorf("%d requests since then", n)
	}
	if n := back(moments, 90*time.Second, nil).sample(1).requests(); n != 20*90+5 {
		t.Errorf("%d requests in the last 90 seconds", n)
	}
}

// sameUntilNow returns a trial that counted what another did, as if it had been played again: interpreted, that takes long.
// Nothing must be counted here any more.
func sameUntilNow(t *Trial) *Trial {
	same := &Trial{names: t.names, arms: t.arms, assigned: t.assigned, now: t.now, clock: t.clock}
	for _, m := range t.moments {
		same.moments = append(same.moments, &moment{at: m.at, arms: append([]*snapshot{}, m.arms...)})
	}
	return same
}

// tidied returns the first bucket of a snapshot that is not empty, and the answers in the buckets up to each, from that one to
// the last that is not empty: what two snapshots that answer alike have in common, whatever room they have around it.
func tidied(s *snapshot) (int, []int64) {
	first, within := s.first, s.within
	for len(within) > 0 && within[0] == 0 {
		first++
		within = within[1:]
	}
	if len(within) == 0 {
		return bucketCount, nil
	}
	for n := len(within) - 1; n > 0 && within[n] == within[n-1]; n-- {
		within = within[:n]
	}
	return first, within
}

// TestAddedTogether: it makes no difference whether what gateways counted at different times is added at once or one by one.
func TestAddedTogether(t *testing.T) {
	played := newTrial()
	end := play(played, 300, healthy, healthy)
	for seed := int64(1); seed <= 20; seed++ {
		random := rand.New(rand.NewSource(seed))
		one, other := sameUntilNow(played), sameUntilNow(played)
		var added []Added
		for n := random.Intn(30); n > 0; n-- {
			news := Added{From: time.Duration(random.Int63n(int64(end)))}
			if random.Intn(4) == 0 {
				news.From = 0
			}
			for range one.names {
				answers, bucket := int64(1+random.Intn(50)), int64(300+random.Intn(200))
				counts := Counts{Requests: answers + int64(random.Intn(3)), Answers: []int64{bucket, answers, bucket + 1 + int64(random.Intn(9)), 0}}
				counts.Answers[3] = int64(1 + random.Intn(5))
				counts.Requests += counts.Answers[3]
				if random.Intn(5) == 0 {
					counts = Counts{}
				}
				news.Counts = append(news.Counts, counts)
			}
			added = append(added, news)
			one.Add([]Added{news})
		}
		other.Add(added)
		want, got := one.present(), other.present()
		for k := range want {
			for i := range one.names {
				a, b := want[k].arms[i], got[k].arms[i]
				first, answers := tidied(a)
				same := a.requests == b.requests && a.failures == b.failures
				if begins, others := tidied(b); begins != first || !reflect.DeepEqual(others, answers) {
					same = false
				}
				if !same {
					t.Fatalf("seed %d: at %s %+v, want %+v", seed, want[k].at.String(), *b, *a)
				}
			}
		}
	}
}

func TestImpossibleCounts(t *testing.T) {
	before := Counts{Requests: 10, Failures: 2, Answers: []int64{300, 4, 310, 5}}
	for _, c := range []Counts{
		{},
		{Requests: 9, Failures: 2, Answers: []int64{300, 4, 310, 5}},
		{Requests: 10, Failures: 1, Answers: []int64{300, 4, 310, 5}},
		{Requests: 11, Failures: 5, Answers: []int64{300, 4, 310, 5}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 3, 310, 5}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 4}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 4, 310}},
		{Requests: 20, Failures: 2, Answers: []int64{310, 5, 300, 4}},
		{Requests: 20, Failures: 2, Answers: []int64{-1, 1, 300, 4, 310, 5}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 4, 310, 5, 5000, 1}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 4, 310, 5, 311, 12}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 4, 310, 5, 311, -1}},
		{Requests: 20, Failures: 2, Answers: []int64{300, 4, 310, 5, 311, 1, 311, 1}},
		{Requests: 1 << 60, Failures: 2, Answers: []int64{300, 4, 310, 5}},
	} {
		if since, possible := c.Since(before); possible {
			t.Errorf("%+v is taken for what came after %+v: %+v", c, before, since)
		}
	}
	since, possible := Counts{Requests: 14, Failures: 3, Answers: []int64{299, 1, 300, 4, 310, 6, 400, 2}}.Since(before)
	if want := (Counts{Requests: 4, Failures: 1, Answers: []int64{299, 1, 310, 1, 400, 2}}); !possible || fmt.Sprint(since) != fmt.Sprint(want) {
		t.Errorf("%+v, %v, want %+v", since, possible, want)
	}
}

// TestJudgesShareTheLevel: several gateways that look at the same are together wrong as seldom as one.
func TestJudgesShareTheLevel(t *testing.T) {
	checks := parsed(t, `error_rate("canary") <= 0.01`)
	alone := checks.level(Look{Number: 1, For: time.Hour})
	if together := checks.level(Look{Number: 1, For: time.Hour, Judges: 5}); together*5 != alone {
		t.Errorf("each of five looks at level %g, and one alone at %g", together, alone)
	}
}
