package mirror

import (
	"sort"
	"time"
)

// What is kept is bounded, whatever answers look like.
const (
	maxFields    = 100  // that are counted one by one
	maxPairs     = 100  // that are shown
	maxLatencies = 1000 // of which quantiles are taken
)

// others is the field that stands for those beyond maxFields.
const others = "(others)"

// differences are those of one release, compared in one way. They are guarded by their ledger's mutex.
type differences struct {
	pairs      int64
	controlled bool
	whole      tally // requests in which any field differed
	fields     []*fieldTally
	places     map[string]int // of the fields, by name
	latencies  []latencyPair  // the last ones, in no order
	shown      []Pair         // the last ones, the oldest first
}

// fieldTally is one field's.
type fieldTally struct {
	name  string
	tally tally
}

// latencyPair is how long both answers to a request took.
type latencyPair struct{ baseline, target time.Duration }

func newDifferences() *differences { return &differences{places: map[string]int{}} }

// outcome is what one comparison found.
type outcome struct {
	controlled bool
	target     *findings // in which the target's answer differs from the client's
	control    *findings // in which the baseline's second answer does
	latency    latencyPair
	pair       Pair // without its fields
}

// add counts one comparison, and reports whether the target alone differs in anything.
func (d *differences) add(o *outcome) bool {
	d.controlled = o.controlled
	if o.latency.baseline > 0 && o.latency.target > 0 {
		d.addLatency(o.latency)
	}
	d.pairs++
	d.discover(o)
	targets, controls := d.positions(o.target), d.positions(o.control)
	only, noise := false, false
	for i, field := range d.fields {
		target, control := targets[i], controls[i]
		field.tally.add(target, control)
		only = only || target && !control
		noise = noise || control && !target
	}
	d.addWhole(len(targets) > 0, len(controls) > 0, only, noise)
	if only {
		d.show(o)
	}
	return only
}

// discover makes room for fields that never differed before, in an order that does not depend on which answer differs: the
// place of a field says how certain its test has to be, and must not know how the first coin fell.
func (d *differences) discover(o *outcome) {
	var names []string
	for i := range o.target.list {
		names = append(names, o.target.list[i].Field)
	}
	for i := range o.control.list {
		names = append(names, o.control.list[i].Field)
	}
	sort.Strings(names)
	for _, name := range names {
		if _, known := d.places[name]; known {
			continue
		}
		if len(d.fields) >= maxFields {
			name = others
		}
		if _, known := d.places[name]; !known {
			d.places[name] = len(d.fields)
			d.fields = append(d.fields, &fieldTally{name: name})
		}
	}
}

// positions returns which fields were found to differ.
func (d *differences) positions(f *findings) map[int]bool {
	found := map[int]bool{}
	for i := range f.list {
		place, known := d.places[f.list[i].Field]
		if !known {
			place = d.places[others]
		}
		found[place] = true
	}
	return found
}

// addWhole counts a request. What differs in both answers is no difference between them, so a field that always differs,
// such as a time, hides no other.
func (d *differences) addWhole(target, control, only, noise bool) {
	if target {
		d.whole.target++
	}
	if control {
		d.whole.control++
	}
	if only && !noise {
		d.whole.only++
	}
	if noise && !only {
		d.whole.noise++
	}
}

// mismatch returns the share of requests that the target answers differently. Beyond noise it is the largest share that is
// certain: of all requests, or of any one field. Neither is more than it really is, as noise in one field may hide a
// difference in another, and one field is not all.
func (d *differences) mismatch() float64 {
	if d.pairs == 0 {
		return 0
	}
	if !d.controlled {
		return float64(d.whole.target) / float64(d.pairs)
	}
	most := 0.0
	if d.whole.isAbove(1) {
		most = d.whole.excess(d.pairs)
	}
	for i, field := range d.fields {
		if share := field.tally.excess(d.pairs); share > most && field.tally.isAbove(i+2) {
			most = share
		}
	}
	return most
}

// show keeps a pair, with the fields in which the target alone differs.
func (d *differences) show(o *outcome) {
	noise := map[string]bool{}
	for i := range o.control.list {
		noise[o.control.list[i].Field] = true
	}
	pair := o.pair
	for i := range o.target.list {
		if !noise[o.target.list[i].Field] {
			pair.Fields = append(pair.Fields, o.target.list[i])
		}
	}
	if len(d.shown) == maxPairs {
		d.shown = append(d.shown[:0], d.shown[1:]...)
	}
	d.shown = append(d.shown, pair)
}

// addLatency keeps how long the answers to a request took, in the place of the oldest.
func (d *differences) addLatency(l latencyPair) {
	if len(d.latencies) < maxLatencies {
		d.latencies = append(d.latencies, l)
		return
	}
	d.latencies[d.pairs%maxLatencies] = l
}

// quantiles returns those of the latencies of the baseline and of the target.
func quantiles(latencies []latencyPair) (baseline, target *Latency) {
	var first, second []float64 // sort.Float64s is compiled wherever this runs
	for _, l := range latencies {
		first = append(first, float64(l.baseline))
		second = append(second, float64(l.target))
	}
	b, t := quantilesOf(first), quantilesOf(second)
	return b, t
}

func quantilesOf(list []float64) *Latency {
	sort.Float64s(list)
	return &Latency{P50: quantile(list, 50), P95: quantile(list, 95), P99: quantile(list, 99)}
}

// quantile returns the smallest of a sorted list that so many percent of it do not exceed.
func quantile(sorted []float64, percent int) time.Duration {
	return time.Duration(sorted[(len(sorted)*percent+99)/100-1])
}

func (d *differences) report(r *Report) {
	r.Compared = d.pairs
	r.Controlled = d.controlled
	r.Mismatch = d.mismatch()
	for i, field := range d.fields {
		f := Field{Name: field.name, Different: field.tally.target, Noise: field.tally.control}
		f.Share = field.tally.excess(d.pairs)
		f.Above = field.tally.isAbove(i + 2)
		if !d.controlled {
			f.Above = f.Different > 0
		}
		r.Fields = append(r.Fields, f)
	}
	if len(d.latencies) > 0 {
		baseline, target := quantiles(d.latencies)
		r.Baseline = baseline
		r.Target = target
	}
	r.Pairs = append(r.Pairs, d.shown...)
}
