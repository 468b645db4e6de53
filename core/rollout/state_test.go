package rollout

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// busy returns a record with something in every field.
func busy(t *testing.T) Record {
	t.Helper()
	f := at20(t)
	f.see(Hold, Fail)
	f.wait(time.Hour)
	f.tick(Observations{Mismatch: &Mismatch{Position: f.m.Position(), Reason: "p < 0.001 ünd <so>", Figures: map[string]float64{"p": 1e-300}}})
	f.do(Command{Verb: Pause})
	f.do(Command{Verb: SetWeight, Variant: "canary", Weight: "0.25%"})
	r := f.m.Record()
	r.Stalled = true
	r.Mismatched = true
	r.Epoch = 7
	return r
}

func TestEncodeDecode(t *testing.T) {
	want := busy(t)
	want.Format = format
	fields := reflect.ValueOf(want)
	for i := 0; i < fields.NumField(); i++ {
		if fields.Field(i).IsZero() {
			t.Errorf("nothing is in field %d of the record: %+v", i, want)
		}
	}
	content, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content, again) {
		t.Errorf("read and written again:\n%s\n%s", content, again)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := func() string {
		content, err := busy(t).Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}()
	cases := []struct{ what, old, new, says string }{
		{"an older format", `"format":1`, `"format":-1`, "no format"},
		{"no format", `"format":1`, `"form":1`, "no format"},
		{"an unknown state", `"state":"paused"`, `"state":"` + strings.Repeat("x", 1000) + `"`, `unknown state "xxxxxxxxxxxxxxxxxxxx"`},
		{"no state", `"state":"paused",`, ``, "unknown state"},
		{"a negative epoch", `"epoch":7`, `"epoch":-7`, "less than nothing"},
		{"a negative step", `"step":2,"weight"`, `"step":-2,"weight"`, "less than nothing"},
		{"no weight of the step", `"weight":"10%"`, `"weight":""`, "not a weight"},
		{"too much weight", `"weight":"10%"`, `"weight":"101%"`, "more than 100%"},
		{"a weight that is none", `"canary":"0.25%"`, `"canary":"NaN"`, "not a weight"},
		{"an age of more than a century", `"age_ns":`, `"age_ns":399999`, "the age of a step"},
		{"an age that no number holds", `"age_ns":`, `"age_ns":999999`, "age_ns"},
		{"a negative age", `"age_ns":`, `"age_ns":-`, "age"},
		{"events twice", `"id":2`, `"id":1`, "not in order"},
		{"a number for a text", `"revision":"v2","candidate"`, `"revision":2,"candidate"`, "cannot unmarshal"},
		{"a time that is none", `"since":"2026`, `"since":"20x6`, "parsing time"},
		{"two documents", `{"format"`, `{}{"format"`, "invalid character"},
	}
	for _, c := range cases {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%s: there is no %s in %s", c.what, c.old, good)
		}
		_, err := Decode([]byte(strings.Replace(good, c.old, c.new, 1)))
		if !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", c.what, err, c.says)
		}
	}
	for _, newer := range []string{strings.Replace(good, `"format":1`, `"format":2`, 1), `{"format":3,"state":4}`} {
		if _, err := Decode([]byte(newer)); !errors.Is(err, ErrNewer) || errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), "this version knows 1") {
			t.Errorf("what a newer version wrote: %v", err)
		}
	}
	if _, err := Decode(make([]byte, maxRecord+1)); !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), "more than it can have") {
		t.Errorf("4 MiB of nothing: %v", err)
	}
}

// Whatever is read works, and whatever does not work is refused: in a damaged document every byte may be another.
func TestDamagedDocuments(t *testing.T) {
	good, err := busy(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	read := 0
	for i := 0; i < 3000; i++ {
		content := append([]byte(nil), good...)
		for n := random.IntN(3); n >= 0; n-- {
			content[random.IntN(len(content))] = `0123456789-"{}[]:,.eabtrue`[random.IntN(26)]
		}
		if i < len(good) {
			content = append([]byte(nil), good[:i]...) // half-written
		}
		record, err := Decode(content)
		if err != nil {
			continue
		}
		read++
		m, _ := New(usual(), record, Time{Wall: monday})
		m.Tick(Time{Wall: monday, Mono: time.Hour}, Observations{Evaluation: &Evaluation{Position: m.Position(), Verdict: Pass}})
		if _, err := m.Command(Time{Wall: monday, Mono: time.Hour}, Command{Verb: Restart}); err != nil {
			t.Errorf("%s: %v", content, err)
		}
		if weights := m.Weights(); weights[0] < 0 || weights[1] < 0 {
			t.Errorf("%s: weights %v", content, weights)
		}
		if _, err := m.Record().Encode(); err != nil {
			t.Errorf("%s: %v", content, err)
		}
	}
	if read == 0 {
		t.Error("no damaged document was read: this test says nothing")
	}
}

func TestLastEvents(t *testing.T) {
	f := fly(t, usual())
	for i := 0; i < 60; i++ {
		f.do(Command{Verb: Pause})
		f.do(Command{Verb: Resume})
	}
	for _, restarted := range []bool{false, true} {
		if restarted {
			f.die()
		}
		events := f.m.Record().Events
		if len(events) != MaxEvents || events[0].ID != 22 || events[MaxEvents-1].ID != 121 {
			t.Errorf("of 121 events %d are remembered, from %d on", len(events), events[0].ID)
		}
	}
}

func TestLongReasons(t *testing.T) {
	for _, long := range []string{strings.Repeat("a", 5000), strings.Repeat("ä", 5000), strings.Repeat("\x80", 5000)} {
		f := fly(t, usual())
		for i := 1; i <= DefaultFailures; i++ {
			f.requests += DefaultMinRequests
			e := f.evaluated(Fail)
			e.Reason = long
			f.tick(Observations{Evaluation: e})
		}
		f.die()
		f.expect("a long reason", RolledBack, 1, "0%", KindStarted, KindRolledBack)
		reason := f.m.Record().Reason
		if len(reason) > 1003 || !strings.HasSuffix(reason, "…") || strings.Contains(reason, "\ufffd") {
			t.Errorf("%.2q...: a reason of %d bytes became %q", long, len(long), reason)
		}
	}
}
