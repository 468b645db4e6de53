package core

import (
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// A series has a point for every look at the checks, but one every ten seconds at least, and so is of an hour by default.
const (
	mostPoints   = 360
	longestPoint = rollout.DefaultEvery

	early = time.Second / 2 // ticks are not exact
)

// Point is how a rollout's variants did between two moments, in this gateway.
type Point struct {
	// ID counts the points since the gateway's process began, from 1.
	ID int64 `json:"id"`

	// Time is the later of the two moments, and For how much earlier the other was.
	Time time.Time     `json:"time"`
	For  time.Duration `json:"for_ns"`

	// Variants are those of [Status], with what was counted between the moments. Outcomes that count for the plan are
	// counted; where none do, as without a plan and after a rollback, all are, and latencies are not known.
	Variants []VariantStatus `json:"variants"`
}

// series are the last points of a rollout. It belongs to its Live, and outlives engines.
type series struct {
	mu     sync.Mutex
	points []Point // guarded by mu
	last   int64   // the ID of the last; guarded by mu
}

func (s *series) add(p Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	p.ID = s.last
	if extra := len(s.points) - mostPoints + 1; extra > 0 {
		s.points = append([]Point{}, s.points[extra:]...) // whoever has the old ones keeps them
	}
	s.points = append(s.points, p)
}

// Series returns the points with IDs above after, of those that are remembered, oldest first. An ID that no point has come
// to is of a process before this one: then it is all of them.
func (l *Live) Series(after int64) []Point {
	s := &l.series
	s.mu.Lock()
	defer s.mu.Unlock()
	if after > s.last {
		after = 0
	}
	var points []Point
	for i := range s.points {
		if s.points[i].ID > after {
			points = append(points, s.points[i])
		}
	}
	return points
}

// recorder makes the points of a series. It belongs to the goroutine of a pursuit.
type recorder struct {
	begun   bool
	since   time.Duration // when the point began, on the monotonic clock
	trial   *trial        // what counts; nil: the counters do
	mark    *analysis.Mark
	counted []VariantStatus // what the counters said then
	weights []string
}

// record ends a point when it is due, and when something else begins to count.
func (p *pursuit) record(now time.Duration) {
	r := &p.recorder
	ph := current(p.engine)
	t := ph.judging()
	if r.begun && t == r.trial && now < p.pointEnds() {
		return
	}
	end := now
	if r.begun && t != r.trial && t != nil && t.began > r.since && t.began < now {
		end = t.began
	}
	var mark *analysis.Mark
	if r.trial != nil {
		mark = r.trial.Mark()
	}
	if r.begun && end-r.since >= early { // in less, rates would be of those requests that began long before
		p.live.series.add(Point{Time: time.Now().Add(end - now), For: end - r.since, Variants: p.engine.counted(r, mark, t != nil)})
	}
	if t != r.trial {
		mark = nil // what another trial has counted already is of this time, too
	}
	if t != nil && !r.begun {
		mark = t.Mark()
	}
	r.mark = mark
	r.begun = true
	r.since = end
	r.trial = t
	r.counted = p.engine.totals()
	r.weights = nil
	for i := range ph.weights {
		r.weights = append(r.weights, ph.weights[i].String())
	}
}

// judging returns the trial that outcomes count in; nil if they do not.
func (p *phase) judging() *trial {
	if len(p.split) == 0 || p.split[0].arm == nil {
		return nil
	}
	return p.trial
}

// pointEnds returns from when on a tick ends the point, on the monotonic clock.
func (p *pursuit) pointEnds() time.Duration { return p.recorder.since + p.pointLasts() - early }

// pointLasts returns how long a point lasts.
func (p *pursuit) pointLasts() time.Duration {
	if plan := p.engine.plan; plan != nil && plan.Every < longestPoint {
		return plan.Every
	}
	return longestPoint
}

// counted returns what was counted since a point began. A point in which outcomes ceased to be judged is of all of them:
// of the others there were hardly any. mark is the present one, nil if there is no trial.
func (e *Engine) counted(r *recorder, mark *analysis.Mark, judged bool) []VariantStatus {
	totals := e.totals()
	var seen []analysis.Tally
	if r.trial != nil {
		seen = analysis.Between(r.mark, mark)
	}
	for i := range totals {
		v := &totals[i]
		v.Weight = r.weights[i]
		v.Requests -= r.counted[i].Requests
		v.Failures -= r.counted[i].Failures
		if seen != nil && judged {
			v.Requests = seen[i].Requests
			v.Failures = seen[i].Failures
		}
		if seen != nil {
			v.LatencyP50 = seen[i].P50
			v.LatencyP95 = seen[i].P95
			v.LatencyP99 = seen[i].P99
		}
	}
	return totals
}

// totals returns what all counters of the variants say.
func (e *Engine) totals() []VariantStatus {
	counts := e.live.Counts()
	totals := make([]VariantStatus, len(e.variants))
	for i := range totals {
		totals[i].Name = e.variants[i]
		if !e.observe {
			continue
		}
		counted := counts[e.variants[i]]
		totals[i].Failures = counted.Failure
		totals[i].Requests = counted.Success + counted.Failure
	}
	return totals
}
