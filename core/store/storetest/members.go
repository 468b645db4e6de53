package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// Members tests what a store offers to gateways that share it. open returns another handle with every call: one that
// another process could have.
func Members(t *testing.T, open func() store.Members) {
	t.Helper()
	reports(t, open(), open())
	manyReports(t, open(), open())
	reportRefusals(t, open())
	forgets(t, open(), open())
}

// brief is how long reports live that are to be forgotten: no store needs to do with less. enduring ones are not.
const (
	brief    = 2 * time.Second
	enduring = 10 * time.Minute
)

func report(t *testing.T, s store.Members, rollout, member, content string, ttl time.Duration) {
	t.Helper()
	if err := s.Report(within(t), rollout, member, []byte(content), ttl); err != nil {
		t.Errorf("%s reports of %s: %v", member, rollout, err)
	}
}

// told returns what the members say of a rollout, as "a=1 b=2".
func told(t *testing.T, s store.Members, rollout string, limit int) string {
	t.Helper()
	list, err := s.Reports(within(t), rollout, limit)
	if err != nil {
		t.Errorf("reports of %s: %v", rollout, err)
	}
	var words []string
	for _, r := range list {
		words = append(words, r.Member+"="+string(r.Content))
	}
	return strings.Join(words, " ")
}

func says(t *testing.T, s store.Members, rollout string, limit int, want string) {
	t.Helper()
	if got := told(t, s, rollout, limit); got != want {
		t.Errorf("of %s the members say %q, want %q", rollout, got, want)
	}
}

func reports(t *testing.T, one, other store.Members) {
	t.Helper()
	says(t, one, "checkout", 0, "")
	report(t, one, "checkout", "b", "1", enduring)
	report(t, other, "checkout", "a", "2", enduring)
	report(t, other, "checkout2", "a", "3", enduring)
	report(t, other, "check", "a", "4", enduring)
	says(t, one, "checkout", 0, "a=2 b=1")
	says(t, other, "checkout", 1, "a=2")
	says(t, other, "checkout", 2, "a=2 b=1")
	says(t, other, "checkout", 3, "a=2 b=1")
	report(t, one, "checkout", "b", "5", enduring)
	says(t, other, "checkout", 0, "a=2 b=5")
	counted(t, one, 1)
	counted(t, other, 3)
	leaves(t, one, "checkout", "b")
	leaves(t, one, "checkout", "b")
	counted(t, one, 0)
	leaves(t, one, "checkout", "who was never there")
	says(t, other, "checkout", 0, "a=2")
	says(t, one, "checkout2", 0, "a=3")
	says(t, one, "check", 0, "a=4")
	report(t, one, "checkout", "b", "6", enduring)
	says(t, other, "checkout", 0, "a=2 b=6")
}

// counted looks how many reports a handle says to have written, and not left.
func counted(t *testing.T, s store.Members, want int) {
	t.Helper()
	if got := s.Reporting(); got != want {
		t.Errorf("%d reports, want %d", got, want)
	}
}

func leaves(t *testing.T, s store.Members, rollout, member string) {
	t.Helper()
	if err := s.Leave(within(t), rollout, member); err != nil {
		t.Errorf("%s leaves %s: %v", member, rollout, err)
	}
}

// manyReports come at the same time, from as many rollouts as there may be, and members.
func manyReports(t *testing.T, one, other store.Members) {
	t.Helper()
	const rollouts, members = 150, 120
	var reporting sync.WaitGroup
	send := func(rollout, member string) {
		defer reporting.Done()
		report(t, one, rollout, member, "1", enduring)
	}
	reporting.Add(rollouts + members)
	for i := 0; i < rollouts; i++ {
		go send(fmt.Sprintf("many%d", i), "a")
	}
	for i := 0; i < members; i++ {
		go send("members", fmt.Sprintf("m%03d", i))
	}
	reporting.Wait()
	for i := 0; i < rollouts; i += 49 {
		says(t, other, fmt.Sprintf("many%d", i), 0, "a=1")
	}
	list, err := other.Reports(within(t), "members", 0)
	if err != nil || len(list) != members || list[members-1].Member != fmt.Sprintf("m%03d", members-1) {
		t.Errorf("%d of %d members, error %v", len(list), members, err)
	}
	list, err = other.Reports(within(t), "members", 70)
	if err != nil || len(list) != 70 || list[69].Member != "m069" {
		t.Errorf("%d members of 70, error %v", len(list), err)
	}
}

func reportRefusals(t *testing.T, s store.Members) {
	t.Helper()
	for _, content := range [][]byte{nil, []byte(""), []byte("{"), bytes.Repeat([]byte("1"), store.MaxReport+1)} {
		if err := s.Report(within(t), "refusals", "a", content, enduring); !errors.Is(err, store.ErrDocument) {
			t.Errorf("%.10q of %d bytes: error %v", content, len(content), err)
		}
	}
	says(t, s, "refusals", 0, "")
	ended, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := s.Reports(ended, "refusals", 0); err == nil {
		t.Errorf("reports are read for somebody who does not want them any more")
	}
}

// forgets: whoever does not report any more is forgotten, and nobody else; not even by who lives in the same process.
// Who comes back is there again.
func forgets(t *testing.T, one, other store.Members) {
	t.Helper()
	says(t, other, "forgets", 0, "")
	report(t, one, "forgets", "dead", "1", brief)
	report(t, one, "forgets", "alive", "1", brief)
	report(t, other, "forgets", "enduring", "1", enduring)
	forgotten := false
	for i, began := 2, time.Now(); !forgotten && time.Since(began) < long; i++ {
		report(t, one, "forgets", "alive", fmt.Sprint(i), brief)
		now := told(t, other, "forgets", 0)
		if want := fmt.Sprintf("alive=%d", i); !strings.HasPrefix(now, want+" ") || !strings.HasSuffix(now, " enduring=1") {
			t.Errorf("of forgets the members say %q, among which is not %s", now, want)
		}
		forgotten = !strings.Contains(now, "dead")
		time.Sleep(brief / 8)
	}
	if !forgotten {
		t.Errorf("who was silent for %s is not forgotten", long)
	}
	for began := time.Now(); told(t, other, "forgets", 0) != "enduring=1"; time.Sleep(brief / 8) {
		if time.Since(began) > long {
			t.Errorf("nobody else is left, and of forgets the members say %q", told(t, other, "forgets", 0))
			return
		}
	}
	report(t, one, "forgets", "alive", "0", enduring)
	report(t, one, "forgets", "dead", "2", brief)
	says(t, other, "forgets", 0, "alive=0 dead=2 enduring=1")
}
