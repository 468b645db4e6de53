package analysis

import (
	"math"
	"sync/atomic"
	"time"
)

// Slots of time.
const (
	slot   = 10 * time.Second
	recent = 60 // slots that are kept as they are
	coarse = 8  // of older ones no slot is longer than this part of its age
)

// Trial is how all variants did during one stay in a step. What requests go through, [Trial.Arm] and [Trial.Assign], belongs
// to many goroutines; the rest to one.
//
// Requests know nothing of time: what was counted in which time follows from snapshots that are taken every ten seconds.
// Older ones become fewer with age, so that a trial of months takes little more memory than one of minutes.
type Trial struct {
	names    []string
	arms     []*Arm
	assigned []int64

	elsewhere elsewhere

	now     time.Duration // since the trial began, and never back
	clock   time.Duration // what Turn was told last
	moments []*moment     // the trial's beginning first
}

// moment is what all arms had counted at some time.
type moment struct {
	at   time.Duration
	arms []*snapshot
}

// NewTrial returns a trial that begins now. The first of the variants is the baseline.
func NewTrial(variants []string) *Trial {
	t := &Trial{names: variants, assigned: make([]int64, len(variants))}
	for range variants {
		t.arms = append(t.arms, NewArm())
	}
	t.moments = []*moment{t.look()}
	return t
}

// Arm returns what counts the outcomes of a variant.
func (t *Trial) Arm(variant int) *Arm { return t.arms[variant] }

// Assign counts a client to whom the split gave a variant.
func (t *Trial) Assign(variant int) { atomic.AddInt64(&t.assigned[variant], 1) }

// Assignments returns how many clients the split gave each variant.
func (t *Trial) Assignments() []int64 {
	n := make([]int64, len(t.assigned))
	for i := range t.assigned {
		n[i] = atomic.LoadInt64(&t.assigned[i])
	}
	return n
}

// Turn lets time go by. It wants to be called when [Trial.Next] says, or later, with the time since the trial began. A clock
// that was put back is another one: it is read from there on.
func (t *Trial) Turn(elapsed time.Duration) {
	passed := elapsed - t.clock
	t.clock = elapsed
	if passed <= 0 {
		return
	}
	if passed > math.MaxInt64-t.now {
		passed = math.MaxInt64 - t.now
	}
	t.now += passed
	if t.now-t.moments[len(t.moments)-1].at >= slot {
		t.moments = append(t.moments, t.look())
		t.thin()
	}
}

// Next returns when Turn has something to do next, by the clock that it is told.
func (t *Trial) Next() time.Duration {
	return t.clock + slot - (t.now - t.moments[len(t.moments)-1].at)
}

func (t *Trial) look() *moment {
	m := &moment{at: t.now}
	for i := range t.arms {
		m.arms = append(m.arms, t.snapshot(i))
	}
	return m
}

// thin forgets old moments whose neighbours are near enough to each other. As many are left as the trial's age has eighths
// of powers of e, beside the recent ones.
func (t *Trial) thin() {
	old := len(t.moments) - recent - 1
	if old < 2 {
		return
	}
	kept := t.moments[:1]
	for i := 1; i < old; i++ {
		before, after := kept[len(kept)-1].at, t.moments[i+1].at
		if (t.now-after)/coarse < after-before {
			kept = append(kept, t.moments[i])
		}
	}
	t.moments = append(kept, t.moments[old:]...)
}
