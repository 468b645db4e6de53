package balance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var policy = HealthPolicy{Failures: 3, Backoff: time.Second, MaxBackoff: 5 * time.Second}

// patient is a Health and the clock that it is shown.
type patient struct {
	t *testing.T
	Health
	policy HealthPolicy
	now    time.Time
}

func newPatient(t *testing.T) *patient { return &patient{t: t, policy: policy, now: noon} }

func (u *patient) wait(d time.Duration) { u.now = u.now.Add(d) }

func (u *patient) begin() Attempt {
	u.t.Helper()
	available := u.Available(u.now)
	a := Begin(&u.Health, u.now)
	if available != (a != Refused) {
		u.t.Fatalf("available is %v, and the attempt %d", available, int64(a))
	}
	if steady := u.Steady.Load(); steady != int64(Refused) && (steady != int64(a) || !u.AvailableOnce(u.now)) {
		u.t.Fatalf("steady is %d, and the attempt %d", steady, int64(a))
	}
	return a
}

func (u *patient) fail(a Attempt) time.Duration { return Failed(&u.Health, a, u.policy, u.now) }

// knockOut has as many attempts fail as it takes.
func (u *patient) knockOut() {
	u.t.Helper()
	for i := 1; i <= u.policy.Failures; i++ {
		out := u.fail(u.begin())
		if (out == u.policy.Backoff) != (i == u.policy.Failures) {
			u.t.Fatalf("failure %d: out for %v", i, out)
		}
	}
}

// expect says which of the next attempts at the present time are given.
func (u *patient) expect(what string, given ...bool) {
	u.t.Helper()
	for i, want := range given {
		if got := u.begin() != Refused; got != want {
			u.t.Errorf("%s: attempt %d is given: %v", what, i, got)
		}
	}
}

func TestUpstreamIsUpAtFirst(t *testing.T) {
	u := newPatient(t)
	u.expect("new", true, true, true)
	if u.Steady.Load() == int64(Refused) || !u.AvailableOnce(u.now) {
		t.Error("not steady")
	}
	u.fail(u.begin())
	if u.Steady.Load() != int64(Refused) || !u.AvailableOnce(u.now) {
		t.Error("after a failure an upstream is up, and no longer steady")
	}
	Succeeded(&u.Health, u.begin())
	if u.Steady.Load() == int64(Refused) {
		t.Error("not steady after an answer")
	}
}

func TestFailuresInARowTakeAnUpstreamOut(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	u.expect("out", false, false)
}

func TestSuccessBetweenFailuresResets(t *testing.T) {
	u := newPatient(t)
	for i := 0; i < 5; i++ {
		u.fail(u.begin())
		u.fail(u.begin())
		Succeeded(&u.Health, u.begin())
	}
	u.expect("never three in a row", true)
	calm := u.begin() // a success that began before the failures counts too
	Succeeded(&u.Health, calm)
	u.fail(u.begin())
	u.fail(u.begin())
	Succeeded(&u.Health, calm)
	u.fail(u.begin())
	u.expect("one in a row", true)
}

func TestTrialAtTheEndOfTheBackoff(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	u.wait(time.Second - 1)
	u.expect("a nanosecond early", false)
	u.wait(1)
	trial := u.begin()
	if trial == Refused {
		t.Fatal("no trial on time")
	}
	u.expect("during the trial", false, false)
	if !Succeeded(&u.Health, trial) || Succeeded(&u.Health, trial) {
		t.Error("a trial brings back once")
	}
	u.expect("after the trial", true, true)
	u.knockOut() // the back-off begins anew
}

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	last := time.Second
	for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		u.wait(last - 1)
		u.expect("early", false)
		u.wait(1)
		if last = u.fail(u.begin()); last != want {
			t.Errorf("out for %v, want %v", last, want)
		}
	}
	u.policy.Backoff = time.Duration(1) << 62
	u.policy.MaxBackoff = u.policy.Backoff
	u.wait(last)
	if got := u.fail(u.begin()); got != 10*time.Second {
		t.Errorf("twice is %v", got)
	}
	if got := u.policy.after(u.policy.Backoff-1, true); got != u.policy.MaxBackoff {
		t.Errorf("more than time can tell is %v", got)
	}
	u.policy = HealthPolicy{Failures: 1, Backoff: 2 * time.Second} // a limit below the first back-off
	u.wait(time.Hour)
	if got := u.fail(u.begin()); got != 2*time.Second {
		t.Errorf("a limit of nothing gives %v", got)
	}
}

func TestWhatBeganBeforeTheChangeSaysNothing(t *testing.T) {
	u := newPatient(t)
	early := []Attempt{u.begin(), u.begin(), u.begin(), u.begin()}
	u.knockOut()
	Succeeded(&u.Health, early[0])
	u.expect("after a success from before", false)
	if got := u.fail(early[1]); got != 0 {
		t.Errorf("a failure from before begins a back-off of %v", got)
	}
	Cancelled(&u.Health, early[2])
	u.expect("after a cancellation from before", false)
	u.wait(time.Second)
	Succeeded(&u.Health, u.begin())
	for i := 0; i < 3; i++ {
		u.fail(early[3])
	}
	u.expect("up again", true)
}

func TestTrialThatNobodyEndsIsFollowedByAnother(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	u.wait(time.Second)
	slow := u.begin()
	u.wait(time.Second - 1)
	u.expect("early", false)
	u.wait(1)
	u.expect("the next", true, false)
	u.wait(10 * time.Second)
	Succeeded(&u.Health, slow) // slower than any back-off, and an answer all the same
	u.expect("after the answer", true, true)
}

func TestTwoTrialsThatFailAreOneFailure(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	u.wait(time.Second)
	first := u.begin()
	u.wait(time.Second)
	second := u.begin()
	if got := u.fail(first); got != 2*time.Second {
		t.Errorf("out for %v", got)
	}
	if got := u.fail(second); got != 0 {
		t.Errorf("and then for %v", got)
	}
}

func TestRequestThatCannotBeSentAgainIsTheLastResort(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	for _, step := range []struct {
		wait time.Duration
		want bool
	}{{time.Second - 1, false}, {1, false}, {time.Second - 1, false}, {1, true}, {time.Hour, true}} {
		u.wait(step.wait)
		if got := u.AvailableOnce(u.now); got != step.want {
			t.Errorf("%v after it went out: %v", u.now.Sub(noon), got)
		}
	}
	u.begin()
	if u.AvailableOnce(u.now) {
		t.Error("available during the trial")
	}
	u.wait(2 * time.Second)
	u.Check(false)
	if u.AvailableOnce(u.now) {
		t.Error("available and unwell")
	}
}

func TestCancelledTrialLeavesItToTheNext(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	u.wait(time.Second)
	Cancelled(&u.Health, u.begin())
	u.expect("after a cancelled trial", true, false)
	up := newPatient(t)
	for i := 0; i < 5; i++ {
		Cancelled(&up.Health, up.begin())
	}
	up.fail(up.begin())
	up.fail(up.begin())
	Cancelled(&up.Health, up.begin())
	if got := up.fail(up.begin()); got != time.Second {
		t.Errorf("a cancelled attempt between three failures makes it %v", got)
	}
}

func TestForcedAttemptBringsBack(t *testing.T) {
	u := newPatient(t)
	u.knockOut()
	Succeeded(&u.Health, Forced(&u.Health))
	u.expect("an answer is an answer", true, true)
}

func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, -2 * time.Second, -1, 24 * time.Hour} {
		u := newPatient(t)
		u.knockOut()
		u.wait(jump)
		u.expect(fmt.Sprint("after ", jump), true, false)
		u.wait(time.Second)
		u.expect("a back-off later", true)
	}
}

func TestChecksTakeOutAndBack(t *testing.T) {
	u := newPatient(t)
	if u.Check(true) || !u.Check(false) || u.Check(false) {
		t.Error("news is what changes")
	}
	u.expect("unwell", false)
	if !u.Check(true) {
		t.Error("well again is news")
	}
	u.expect("well", true)
	u.knockOut()
	u.wait(time.Second)
	u.Check(false)
	u.expect("unwell at the time of a trial", false)
	u.Check(true)
	u.expect("well at the time of a trial", true, false)
}

func TestPolicyOfNoFailures(t *testing.T) {
	u := newPatient(t)
	u.policy.Failures = 0
	for i := 0; i < 10; i++ {
		if got := u.fail(u.begin()); got != 0 {
			t.Fatalf("out for %v", got)
		}
	}
	u.expect("never out", true)
	u.policy = policy
	u.knockOut()
	u.wait(time.Second)
	u.policy.Failures = 0
	u.fail(u.begin())
	u.expect("out under another policy", true, true)
}

// healthTwin is a Health written the slow way: from all that happened it works out what holds.
type healthTwin struct {
	failures int
	trials   int // failed in a row
	out      bool
	until    time.Time // of the back-off, or of the trial
	well     bool
	era      int
}

func (w *healthTwin) backoff() time.Duration {
	d := policy.Backoff
	for i := 0; i < w.trials; i++ {
		if d *= 2; d > policy.MaxBackoff {
			d = policy.MaxBackoff
		}
	}
	return d
}

func (w *healthTwin) available(now time.Time) bool {
	if !w.well {
		return false
	}
	if !w.out {
		return true
	}
	left := w.until.Sub(now)
	return left <= 0 || left > w.backoff()
}

// TestHealthAgainstATwin has both live through random histories.
func TestHealthAgainstATwin(t *testing.T) {
	for seed := uint64(1); seed <= 30; seed++ {
		compareHealth(t, seed, 150)
	}
}

func compareHealth(t *testing.T, seed uint64, steps int) {
	random := rand.New(rand.NewPCG(seed, 0))
	u := newPatient(t)
	w := &healthTwin{well: true}
	type flight struct {
		attempt Attempt
		era     int
	}
	var flights []flight
	var history []string
	for i := 0; i < steps; i++ {
		event := random.IntN(8)
		history = append(history, fmt.Sprint(event))
		if event < 3 {
			want := w.available(u.now)
			a := Begin(&u.Health, u.now)
			if (a != Refused) != want {
				t.Fatalf("seed %d, after %s: given %v, want %v", seed, strings.Join(history, " "), a != Refused, want)
			}
			if want {
				flights = append(flights, flight{a, w.era})
				if w.out {
					w.until = u.now.Add(w.backoff())
				}
			}
			continue
		}
		if event == 3 {
			u.wait(time.Duration(random.IntN(3000)-200) * time.Millisecond)
			continue
		}
		if event == 4 {
			w.well = !w.well || random.IntN(4) > 0
			u.Check(w.well)
			continue
		}
		if len(flights) == 0 {
			continue
		}
		n := random.IntN(len(flights))
		f := flights[n]
		flights = append(flights[:n], flights[n+1:]...)
		counts := f.era == w.era
		if event == 5 {
			Succeeded(&u.Health, f.attempt)
			if counts {
				w.failures = 0
				if w.out {
					w.out = false
					w.era++
				}
			}
			continue
		}
		if event == 6 {
			Cancelled(&u.Health, f.attempt)
			if counts && w.out {
				w.until = time.Time{}
			}
			continue
		}
		var want time.Duration
		if counts {
			w.failures++
			if w.out || w.failures == policy.Failures {
				if w.out {
					w.trials++
				} else {
					w.trials = 0
				}
				w.out = true
				w.failures = 0
				want = w.backoff()
				w.until = u.now.Add(want)
				w.era++
			}
		}
		if got := u.fail(f.attempt); got != want {
			t.Fatalf("seed %d, after %s: out for %v, want %v", seed, strings.Join(history, " "), got, want)
		}
	}
}
