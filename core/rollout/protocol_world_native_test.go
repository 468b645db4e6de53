//go:build !race

package rollout

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// world is a fleet, its store, and all that can happen between them, in a virtual time in which nothing happens but what
// its seed says. One thing happens at a time: a gateway that waits for the store is suspended, while others go on.
type world struct {
	random *rand.Rand
	now    time.Duration // true time since the beginning
	due    agenda
	count  int // of everything that ever was due, which orders what is due at the same time

	truth   []commit // all that the store ever had, oldest first
	members []*member
	calm    bool          // nothing fails any more
	age     time.Duration // of the step that the store has

	faultless bool           // nothing ever fails
	delegates bool           // one of the members judges
	epochs    map[string]int // of revisions, the last
	happened  map[string]int // what did

	traced bool
	trace  []string
	wrong  string // the first thing that must not be; "" if there is none
}

// commit is what a store has from a time on.
type commit struct {
	at     time.Duration
	by     *member
	life   int // of the member that wrote it
	doc    store.Document
	record Record
}

// Bounds of what a network does to a message, and of how long a gateway waits for an answer.
const (
	longestHop   = 20 * time.Millisecond
	longestWatch = 200 * time.Millisecond
	longestLate  = 5 * time.Second // until a request that nobody waits for arrives
	patience     = 2 * time.Second // as core's storeTimeout
)

// happening is something that is due.
type happening struct {
	at    time.Duration
	order int
	run   func()
}

type agenda []happening

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(happening)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func (w *world) after(d time.Duration, run func()) {
	w.count++
	heap.Push(&w.due, happening{at: w.now + d, order: w.count, run: run})
}

// upTo returns a time in [0, d).
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.random.Int64N(int64(d))) }

// one reports what happens once in n times, unless the world is calm.
func (w *world) one(n int) bool { return w.random.IntN(n) == 0 && !w.calm && !w.faultless }

// runUntil lets happen what is due until then.
func (w *world) runUntil(end time.Duration) {
	for w.wrong == "" && len(w.due) > 0 && w.due[0].at <= end {
		next := heap.Pop(&w.due).(happening)
		w.now = next.at
		next.run()
	}
	w.now = end
}

func (w *world) note(format string, args ...any) {
	if w.traced {
		w.trace = append(w.trace, fmt.Sprintf("%9.3fs  ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// fail remembers the first thing that must not be.
func (w *world) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
		w.note("WRONG: %s", w.wrong)
	}
}

// latest returns what the store has.
func (w *world) latest() commit {
	if len(w.truth) == 0 {
		return commit{}
	}
	return w.truth[len(w.truth)-1]
}

// swap is what the store does when a request arrives.
func (w *world) swap(by *member, life int, version string, content []byte) (string, error) {
	last := w.latest()
	if last.doc.Version != version {
		w.happened["conflicts"]++
		w.note("store: %s loses: it has %s and not %s", by.name, last.doc.Version, version)
		return "", store.ErrConflict
	}
	record, err := Decode(content)
	if err != nil {
		w.fail("%s writes what nobody can read: %v", by.name, err)
	}
	next := commit{at: w.now, by: by, life: life, record: record, doc: store.Document{Version: fmt.Sprint(len(w.truth) + 1), Content: content}}
	w.truth = append(w.truth, next)
	w.note("store: %s writes %s: %s", by.name, next.doc.Version, brief(&record))
	w.auditCommit(&last, &next)
	for _, m := range w.members {
		w.announce(m, next.doc)
	}
	return next.doc.Version, nil
}

// announce sends a member's watch a message: late, twice, or too late for another one that overtakes it.
func (w *world) announce(m *member, doc store.Document) {
	if m.c == nil || m.cut || m.deaf {
		return
	}
	for copies := 1; copies > 0; copies-- {
		if w.one(10) {
			copies++
		}
		life := m.life
		w.after(w.upTo(longestWatch), func() {
			if !m.cut && m.life == life {
				m.do("hears of "+doc.Version, func() { m.c.follow(context.Background(), m.clock(), doc) })
			}
		})
	}
}

// brief is a record in one line.
func brief(r *Record) string {
	return fmt.Sprintf("%s epoch %d entry %d %s step %d, age %v, event %d", r.Revision, r.Epoch, r.Entry, string(r.State), r.Step, r.Age.Round(time.Millisecond), r.LastEvent())
}

// said is an event in one line.
func said(e *Event) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s epoch %d step %d %s %s", e.ID, string(e.Kind), e.Epoch, e.Step, string(e.Cause), e.Reason))
}
