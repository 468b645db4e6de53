package mirror

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
)

// found returns findings of these fields.
func found(fields ...string) *findings {
	f := &findings{}
	for _, field := range fields {
		f.add(field, "", "")
	}
	return f
}

func compared(target, control *findings) *outcome {
	o := &outcome{controlled: control != nil, target: target, control: control}
	if control == nil {
		o.control = &findings{}
	}
	o.latency = latencyPair{baseline: time.Millisecond, target: 2 * time.Millisecond}
	return o
}

// TestNoiseIsNotReported: of 300 releases that answer as the baseline does, and that are looked at after every request, at
// most alpha are ever said to differ. In the long run 3 are; with 10 or more the test would be wrong with a probability of
// 0.9996.
func TestNoiseIsNotReported(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	wrong := 0
	for release := 0; release < 300; release++ {
		coin := tally{}
		for request := 0; request < 500; request++ {
			coin.add(random.IntN(2) == 0, random.IntN(2) == 0)
			if coin.isAbove(1) {
				wrong++
				break
			}
		}
	}
	if wrong >= 10 {
		t.Errorf("%d of 300 releases that are no different were said to differ", wrong)
	}
}

func TestIsAbove(t *testing.T) {
	for _, test := range []struct {
		only, noise int64
		place       int
		want        bool
	}{
		{0, 0, 1, false},
		{11, 0, 1, false},
		{12, 0, 1, true},
		{13, 0, 2, false},
		{14, 0, 2, true},
		{0, 100, 1, false},
		{100, 100, 1, false},
		{60, 40, 1, false},
		{70, 30, 1, true},
		{1000, 100, 100, true},
	} {
		coin := tally{only: test.only, noise: test.noise}
		if got := coin.isAbove(test.place); got != test.want {
			t.Errorf("%d differences and %d of noise in place %d are above it: %v, want %v", test.only, test.noise, test.place, got, test.want)
		}
	}
}

// TestDifferenceAmongNoise: a time that always differs, and a list whose order is chance, hide no real difference.
func TestDifferenceAmongNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	d := newDifferences()
	for i := 0; i < 200; i++ {
		target, control := found("$.time"), found("$.time")
		if random.IntN(2) == 0 {
			target.add("$.list[*]", "", "")
		}
		if random.IntN(2) == 0 {
			control.add("$.list[*]", "", "")
		}
		if i%4 == 0 {
			target.add("$.price", "1", "2")
		}
		d.add(compared(target, control))
	}
	report := Report{}
	d.report(&report)
	above := ""
	for _, field := range report.Fields {
		if field.Above {
			above += field.Name
		}
	}
	if above != "$.price" || report.Mismatch != 0.25 {
		t.Errorf("above the noise are %s, the mismatch is %g: %v", above, report.Mismatch, report.Fields)
	}
	for _, pair := range report.Pairs {
		for _, difference := range pair.Fields {
			if difference.Field == "$.time" {
				t.Errorf("what always differs is shown: %v", pair.Fields)
			}
		}
	}
}

// TestSpreadDifferences: many rare differences are a common one.
func TestSpreadDifferences(t *testing.T) {
	d := newDifferences()
	for i := 0; i < 100; i++ {
		d.add(compared(found("$.field"+strconv.Itoa(i%50)), found("$.time")))
	}
	if share := d.mismatch(); share != 0 {
		t.Errorf("as often as the baseline from itself, and yet the mismatch is %g", share)
	}
	d = newDifferences()
	for i := 0; i < 100; i++ {
		d.add(compared(found("$.time", "$.field"+strconv.Itoa(i%50)), found("$.time")))
	}
	if share := d.mismatch(); share != 1 {
		t.Errorf("every request differs in some field, and the mismatch is %g", share)
	}
}

func TestWithoutControlEveryDifferenceCounts(t *testing.T) {
	l := newLedger("canary")
	if share, known := l.Mismatch(0); known {
		t.Errorf("a mismatch of %g is known of nothing", share)
	}
	for i := 0; i < 10; i++ {
		f := found()
		if i == 3 {
			f = found("status")
		}
		l.record(l.current(), compared(f, nil))
	}
	if share, known := l.Mismatch(10); share != 0.1 || !known {
		t.Errorf("the mismatch is %g, known %v", share, known)
	}
	if _, known := l.Mismatch(11); known {
		t.Error("a mismatch is known of fewer requests than it takes")
	}
	if r := l.Report(); len(r.Fields) != 1 || !r.Fields[0].Above || r.Controlled || r.Baseline.P50 != time.Millisecond || r.Target.P99 != 2*time.Millisecond {
		t.Errorf("the report is %v", r)
	}
}

// TestBoundedDifferences: whatever answers look like, what is kept of them is bounded, and all of it is counted.
func TestBoundedDifferences(t *testing.T) {
	d := newDifferences()
	for i := 0; i < 1500; i++ {
		d.add(compared(found(fmt.Sprintf("$.field%d", i)), found()))
	}
	report := Report{}
	d.report(&report)
	if len(report.Fields) != maxFields+1 || len(report.Pairs) != maxPairs || len(d.latencies) != maxLatencies || len(d.places) != maxFields+1 {
		t.Errorf("%d fields, %d pairs, %d latencies, %d places", len(report.Fields), len(report.Pairs), len(d.latencies), len(d.places))
	}
	last := report.Fields[maxFields]
	if last.Name != others || last.Different != 1500-maxFields || report.Mismatch != 1 {
		t.Errorf("the last field is %v, the mismatch %g", last, report.Mismatch)
	}
	if first, newest := report.Pairs[0].Fields[0].Field, report.Pairs[maxPairs-1].Fields[0].Field; first != "$.field1400" || newest != "$.field1499" {
		t.Errorf("the pairs are %s to %s", first, newest)
	}
}

func TestOldCopiesDoNotCount(t *testing.T) {
	r := NewRunner(nil)
	r.Adopt(New(shop, []Settings{{Name: "canary"}}, r))
	l := r.Ledger("canary")
	before := l.current()
	r.Reset()
	l.record(before, compared(found("status"), nil))
	if _, known := l.Mismatch(0); known || l.Counts.Compared.Load() != 0 {
		t.Error("a copy of the release before was counted")
	}
}

// TestCopyFromBeforeTheConfigurationIsInForce: a configuration comes into force while requests are served by it. What began
// before counts, and not as a copy of the release before.
func TestCopyFromBeforeTheConfigurationIsInForce(t *testing.T) {
	target, got := recorder(t)
	settings := posting(everything(t, target))
	settings.Compare = &Comparison{Status: true}
	runner := NewRunner(nil)
	m := New(shop, []Settings{settings}, runner)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello"))
	c := Begin(m, &expr.Input{Request: r}, "stable")
	runner.Adopt(m)
	run(t, runner)
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	c.Answered(http.StatusOK, http.Header{})
	c.End(true)
	<-got
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1, "compared": 1})
}

// TestAdopt: a new configuration keeps what was learned, unless it compares in another way or has no such mirror.
func TestAdopt(t *testing.T) {
	r := NewRunner(nil)
	settings := []Settings{{Name: "canary", Compare: &Comparison{Status: true}}, {Name: "b", Compare: &Comparison{Status: true}}}
	first := New(shop, settings, r)
	r.Adopt(first)
	for _, one := range first.mirrors {
		one.ledger.record(one.ledger.current(), compared(found("status"), nil))
	}
	settings[0].Share = 5
	settings[1].Compare = &Comparison{Status: true, Ignore: paths(t, "$.time")}
	r.Adopt(New(shop, settings, r))
	if reports := r.Reports(); len(reports) != 2 || reports[0].Compared != 1 || reports[1].Compared != 0 || reports[1].Counts["compared"] != 1 {
		t.Errorf("after a change: %v", reports)
	}
	r.Adopt(New(shop, settings[:1], r))
	if reports := r.Reports(); len(reports) != 1 || reports[0].Mirror != "canary" || reports[0].Compared != 1 {
		t.Errorf("after another: %v", reports)
	}
}
