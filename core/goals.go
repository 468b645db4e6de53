package core

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/goal"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

// findings are which clients reached which goals. They are a part of Live, and outlive engines.
//
// What a store keeps of them is one document for all gateways that share it: what each of them saw is merged there, and
// merging it twice changes nothing.
type findings struct {
	exchanging sync.Mutex // held while the store is asked

	mu      sync.Mutex // guards what follows
	sample  *goal.Sample
	past    []goal.Counts // of periods that are over, the last first
	writing bool
	due     time.Duration // when they are to be written next, on the monotonic clock; 0: at once
}

const (
	keepEvery     = time.Minute // is how often they are written, if any client came
	crowd         = 10          // gateways; more of them each write less often, as all write the same document
	pastPeriods   = 10          // that are remembered
	findingsBytes = goal.MaxDocument + 256<<10
)

// reached is a request by which a client reaches goals, if it succeeds, and others that its status decides.
type reached struct {
	sample  *goal.Sample
	client  uint64
	variant int
	goals   uint16
	open    []openGoal
}

// openGoal is a goal that waits for the status of the answer.
type openGoal struct {
	bit     uint16
	settled *expr.Condition
}

func (r *reached) count() { r.sample.See(r.client, r.variant, r.goals) }

// answered counts what the client reaches by the answer that he got, if he got one whole. Of a variant that failed that is
// the gateway's error.
func (r *reached) answered(o *Outcome) {
	if o.Gone || o.Replaced || o.Status == 0 || o.Broken {
		return
	}
	bits := uint16(0)
	if o.Status < 400 {
		bits = r.goals
	}
	for _, g := range r.open {
		if expr.Met(g.settled, o.Status) {
			bits |= g.bit
		}
	}
	if bits != 0 {
		r.sample.See(r.client, r.variant, bits)
	}
}

// reachedByStatus returns what the status decides alone, whoever answers, of what a client may reach; nil if that is nothing.
func reachedByStatus(d *Decision) *reached {
	if !d.AsksStatus {
		return nil
	}
	r := d.reached
	return &reached{sample: r.sample, client: r.client, variant: r.variant, open: r.open}
}

// visit counts the client of a request whose decision chance made, and has the decision be one that knows which goals the
// client reaches by it.
func visit(e *Engine, d **Decision, in *expr.Input) {
	defer recovered(e)
	p := (*d).phase
	if p == nil || p.sample == nil || !isByChance((*d).Reason) {
		return
	}
	key := clientOf(e, in)
	if key == "" {
		return
	}
	client := goal.Hash(e.salt, key)
	p.sample.See(client, (*d).Index, 0)
	bits := uint16(0)
	for i := expr.Next(e.goals.table, in, expr.None); i >= 0; i = expr.Next(e.goals.table, in, i) {
		bits |= 1 << uint(i)
	}
	if bits != 0 {
		*d = reaching(e, *d, in, client, bits)
	}
}

// reaching returns a decision by which a client may reach goals.
func reaching(e *Engine, d *Decision, in *expr.Input, client uint64, goals uint16) *Decision {
	copied := *d
	copied.reached = &reached{sample: d.phase.sample, client: client, variant: d.Index, goals: goals}
	if goals&e.goals.byStatus != 0 {
		copied.AsksStatus = true
		settle(e, copied.reached, in)
	}
	return &copied
}

// settle asks, of goals that the status decides, what they ask of the request: it may be changed on its way.
func settle(e *Engine, r *reached, in *expr.Input) {
	for i, condition := range e.goals.conditions {
		bit := uint16(1) << uint(i)
		if r.goals&e.goals.byStatus&bit != 0 {
			r.goals ^= bit
			r.open = append(r.open, openGoal{bit: bit, settled: expr.Settle(condition, in)})
		}
	}
}

// isByChance reports whether chance chose the variant, now or when the client was assigned it.
func isByChance(reason Reason) bool {
	return reason == BySplit || reason == ByAssigned || reason == ByRouter
}

// clientOf returns what a client is known by from one request to the next; "" if nothing tells. Who is known by a cookie of
// the rollout's own is known once he brings it: who takes none would be another client with every request.
func clientOf(e *Engine, in *expr.Input) string {
	if !e.goals.sticky {
		return expr.Read(e.key, in)
	}
	a := e.assigner
	if a.cookie == nil {
		return expr.Read(a.client, in)
	}
	_, id, _ := assign.Find(a.cookie, in.Request)
	return base64.RawURLEncoding.EncodeToString([]byte(id))
}

// sampleOf returns where the clients of a phase are counted, which goes on as long as they are divided in the same way. It
// is nil if nothing is to be counted, if nobody gets anything but one variant, and for an engine that is not in force and
// divides otherwise.
func (l *Live) sampleOf(e *Engine, v *rollout.View, preview bool) *goal.Sample {
	if e.goals == nil {
		return nil
	}
	if !compares(e, v.State, v.Weights) {
		return nil
	}
	period := goal.Period{Begin: clocks().Wall.UTC(), Variants: e.variants, Goals: e.goals.names}
	for _, weight := range v.Weights {
		period.Weights = append(period.Weights, float64(weight))
	}
	period.Division = fingerprint(v.Position.Revision, fmt.Sprint(v.Position.Epoch), e.salt, e.goals.counted, divisionOf(e.variants, v.Weights, e.candidate))
	f := &l.findings
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sample != nil && f.sample.Period().Division == period.Division {
		return f.sample
	}
	if preview || l.inForce() != e {
		return nil
	}
	f.begin(goal.NewSample(period))
	return f.sample
}

// compares reports whether chance leads to more than one variant.
func compares(e *Engine, state rollout.State, weights []balance.Weight) bool {
	shares := 0
	for i, weight := range weights {
		if weight > 0 && (i != e.candidate || state != rollout.RolledBack) {
			shares++
		}
	}
	return shares > 1
}

// begin has another period begin; mu is held.
func (f *findings) begin(next *goal.Sample) {
	if f.sample != nil {
		f.remember(f.sample.Count())
	}
	f.sample = next
}

// remember keeps what was counted in a period that is over; mu is held. Of two counts of one period it is the one with
// more clients.
func (f *findings) remember(counts goal.Counts) {
	clients := seenIn(counts)
	if clients == 0 {
		return
	}
	for i := range f.past {
		if isSame(f.past[i].Period, counts.Period) {
			if clients > seenIn(f.past[i]) {
				f.past[i] = counts
			}
			return
		}
	}
	f.past = append(f.past, counts)
	sort.Slice(f.past, func(a, b int) bool { return f.past[a].Period.Begin.After(f.past[b].Period.Begin) })
	if len(f.past) > pastPeriods {
		f.past = f.past[:pastPeriods]
	}
}

// forget drops what was kept of a period that goes on; mu is held.
func (f *findings) forget(p goal.Period) {
	var others []goal.Counts
	for _, counts := range f.past {
		if !isSame(counts.Period, p) {
			others = append(others, counts)
		}
	}
	f.past = others
}

func isSame(a, b goal.Period) bool { return a.Division == b.Division && a.Begin.Equal(b.Begin) }

// seenIn returns how many clients were counted.
func seenIn(counts goal.Counts) int64 {
	n := counts.Mixed
	for _, clients := range counts.Clients {
		n += clients
	}
	return n
}

// Results returns how the variants compare that clients were shown, in the present period and in those before it, the last
// first; false if the configuration in force has no goals.
func (l *Live) Results() ([]goal.Results, bool) {
	e := l.inForce()
	if e == nil || e.goals == nil {
		return nil, false
	}
	f := &l.findings
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []goal.Results{}
	if f.sample != nil {
		list = append(list, resultsOf(f.sample.Count()))
	}
	for i := range f.past {
		list = append(list, resultsOf(f.past[i]))
	}
	return list, true
}

func resultsOf(counts goal.Counts) goal.Results {
	return goal.Compare(counts, analysis.SampleRatio(counts.Clients, counts.Period.Weights))
}

// conversion returns how many of a variant's clients reached a goal in the present period.
func (l *Live) conversion(variant, name string) (reached, clients int64) {
	f := &l.findings
	f.mu.Lock()
	sample := f.sample
	f.mu.Unlock()
	if sample == nil {
		return 0, 0
	}
	counts := sample.Count()
	for i, goalName := range counts.Period.Goals {
		for v, variantName := range counts.Period.Variants {
			if goalName == name && variantName == variant {
				return counts.Reached[i][v], counts.Clients[v]
			}
		}
	}
	return 0, 0
}

// keptFindings is what a store keeps.
type keptFindings struct {
	Sample json.RawMessage `json:"sample,omitempty"`
	Past   []goal.Counts   `json:"past,omitempty"`
}

// findingsDocument is where a store keeps the findings of a rollout. No rollout has such a name.
func findingsDocument(name string) string { return ".findings." + name }

// keepFindings writes what was found, and reads what other gateways found, every now and then.
func (p *pursuit) keepFindings(ctx context.Context, now time.Duration) {
	if p.engine.goals == nil || p.engine.host.Store == nil {
		return
	}
	f := &p.live.findings
	f.mu.Lock()
	due := !f.writing && now >= f.due
	if due {
		f.writing = true
		every := p.keepEvery()
		f.due = now + every - time.Duration(rand.Int64N(int64(every/4))) // so that not all come at once
	}
	f.mu.Unlock()
	if due {
		go p.exchangeFindings(ctx)
	}
}

// keepEvery returns how long it is at most from one time that the findings are written to the next.
func (p *pursuit) keepEvery() time.Duration {
	if all, known := p.live.company.seen.Load().(*assembly); known && len(all.members) > crowd {
		return keepEvery * time.Duration(len(all.members)) / crowd
	}
	return keepEvery
}

// keepLastFindings writes what was found before nobody goes on with it.
func (p *pursuit) keepLastFindings() {
	if p.engine.goals != nil && p.engine.host.Store != nil {
		p.exchangeFindings(context.Background())
	}
}

// exchangeFindings merges what was found here with what the store has, in both places.
func (p *pursuit) exchangeFindings(ctx context.Context) {
	f := &p.live.findings
	f.exchanging.Lock()
	defer f.exchanging.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := store.ErrConflict
	for i := 0; i < 3 && errors.Is(err, store.ErrConflict); i++ {
		err = f.exchange(ctx, p.engine.host.Store, findingsDocument(p.engine.name))
	}
	f.mu.Lock()
	f.writing = false
	f.mu.Unlock()
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrConflict) {
		p.engine.log.Warn("which goals clients reached is not kept for now", "rollout", p.engine.name, "error", err)
	}
}

func (f *findings) exchange(ctx context.Context, in store.Store, name string) error {
	document, err := in.Load(ctx, name)
	if err != nil {
		return err
	}
	kept := keptFindings{}
	if document.Version != "" && json.Unmarshal(document.Content, &kept) != nil {
		kept = keptFindings{} // which nobody can read
	}
	sample, ahead := f.learn(kept)
	if sample == nil {
		return nil
	}
	content, changed, err := sample.Encode()
	if err != nil || !changed {
		return err
	}
	f.mu.Lock()
	written := keptFindings{Sample: content, Past: append([]goal.Counts(nil), f.past...)}
	f.mu.Unlock()
	if ahead { // what they count goes on
		written.Sample = kept.Sample
		written.Past = append(written.Past, sample.Count())
	}
	text, err := json.Marshal(written)
	if err == nil && len(text) > findingsBytes {
		err = fmt.Errorf("%d bytes, and a store takes %d", len(text), findingsBytes)
	}
	if err == nil {
		_, err = in.Swap(ctx, name, document.Version, text)
	}
	if err != nil {
		sample.Keep()
	}
	return err
}

// learn takes in what a store has, and returns the sample of the present period, nil if there is none, and whether others
// have got ahead to another period. Of a period that is known here already it is merged, while requests go on.
func (f *findings) learn(kept keptFindings) (sample *goal.Sample, ahead bool) {
	other, err := goal.Decode(kept.Sample)
	f.mu.Lock()
	sample = f.sample
	for _, counts := range kept.Past {
		f.restore(counts)
	}
	same := err == nil && sample != nil && sample.Period().Division == other.Period().Division
	if err == nil && !same {
		f.restore(other.Count())
		ahead = sample != nil && other.Period().Begin.After(sample.Period().Begin)
	}
	f.mu.Unlock()
	if same {
		sample.Merge(other)
		f.mu.Lock()
		f.forget(other.Period())
		f.mu.Unlock()
	}
	return sample, ahead
}

// restore takes in what is known of a period that is over here; mu is held.
func (f *findings) restore(counts goal.Counts) {
	if !counts.Possible() {
		return // not what was written
	}
	if f.sample == nil || !isSame(f.sample.Period(), counts.Period) {
		f.remember(counts)
	}
}
