package store

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

const (
	// etcdTogether is how long a question waits at most for the answer to those before it, so that others go along.
	etcdTogether = 20 * time.Millisecond

	// mostFound is how many keys one transaction asks for at most: fewer than etcd's --max-txn-ops, and two pages of reports.
	mostFound = 2 * etcdPage
)

// etcdFinds are the questions for keys. Who comes while an answer is awaited asks together with others who do: a gateway with
// fifty rollouts begins with some questions, and not with hundreds, each of which costs etcd about as much.
type etcdFinds struct {
	mu   sync.Mutex
	next *etcdFind     // that others may go along with; nil if there is none; guarded by mu
	last chan struct{} // closed when what was begun last is answered; nil before anything was; guarded by mu
}

// etcdFind is what is asked together.
type etcdFind struct {
	wanted []etcdRangeRequest
	keys   int64     // in all of that at most
	until  time.Time // when nobody waits for it any more; zero: somebody always does

	answered chan struct{} // closed when there is an answer, or none to be expected
	found    []etcdRange   // afterwards, what was wanted
	refused  bool          // likewise: all that was asked together, perhaps because of one
	err      error         // likewise
}

type etcdFindTxn struct {
	Success []etcdFindOperation `json:"success"`
}

type etcdFindOperation struct {
	Range etcdRangeRequest `json:"request_range"`
}

type etcdFound struct {
	Header    etcdHeader           `json:"header"`
	Responses []etcdFoundOperation `json:"responses"`
}

type etcdFoundOperation struct {
	Range etcdRange `json:"response_range"`
}

// find returns what is in a range of keys.
func (e *Etcd) find(ctx context.Context, wanted etcdRangeRequest) (*etcdRange, error) {
	together, at := e.ask(ctx, wanted)
	if first, _ := await.First(together.answered, ctx.Done()); first != 0 && !e.finds.outlasts(ctx, together) {
		return nil, fmt.Errorf("reading %s: %w", wanted.Key, ctx.Err())
	}
	<-together.answered
	if together.refused {
		together, at = &etcdFind{wanted: []etcdRangeRequest{wanted}}, 0
		e.findOne(ctx, together)
	}
	if together.err != nil {
		return nil, fmt.Errorf("reading %s: %w", wanted.Key, together.err)
	}
	return &together.found[at], nil
}

// ask has something asked with others, and returns with whom, and its place among them.
func (e *Etcd) ask(ctx context.Context, wanted etcdRangeRequest) (*etcdFind, int) {
	keys := wanted.Limit
	switch {
	case len(wanted.RangeEnd) == 0:
		keys = 1
	case keys == 0:
		keys = mostFound
	}
	until, limited := ctx.Deadline()
	f := &e.finds
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil || f.next.keys+keys > mostFound {
		begun := &etcdFind{answered: make(chan struct{}), until: until}
		go e.answer(begun, f.last)
		f.next = begun
		f.last = begun.answered
	}
	together := f.next
	together.wanted = append(together.wanted, wanted)
	together.keys += keys
	if !limited || !together.until.IsZero() && until.After(together.until) {
		together.until = until
	}
	return together, len(together.wanted) - 1
}

// outlasts reports whether somebody who has waited for as long as he could waited as long as all others: then the answer is
// there, and says more than that.
func (f *etcdFinds) outlasts(ctx context.Context, together *etcdFind) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	until, limited := ctx.Deadline()
	return limited && !time.Now().Before(until) && together.until.Equal(until)
}

// answer asks when those before were answered, or have taken long.
func (e *Etcd) answer(together *etcdFind, before chan struct{}) {
	defer close(together.answered)
	if before != nil {
		late := time.NewTimer(etcdTogether)
		await.First(before, late.C)
		late.Stop()
	}
	f := &e.finds
	f.mu.Lock()
	if f.next == together {
		f.next = nil
	}
	f.mu.Unlock()
	ctx, cancel := together.context()
	defer cancel()
	if len(together.wanted) == 1 {
		e.findOne(ctx, together)
	} else {
		e.findAll(ctx, together)
	}
}

// context returns one that ends when nobody waits any more.
func (together *etcdFind) context() (context.Context, context.CancelFunc) {
	if together.until.IsZero() {
		return context.WithCancel(context.Background())
	}
	return context.WithDeadline(context.Background(), together.until)
}

// findOne asks for a single range.
func (e *Etcd) findOne(ctx context.Context, alone *etcdFind) {
	request, err := json.Marshal(alone.wanted[0])
	if err != nil {
		alone.err = err
		return
	}
	reply := e.client.call(ctx, etcdReads, request)
	if reply.err != nil {
		alone.err = reply.err
		return
	}
	alone.found = make([]etcdRange, 1)
	err = json.Unmarshal(reply.content, &alone.found[0])
	if err != nil || alone.found[0].Header.Revision <= 0 {
		alone.err = errEtcdAnswer
	}
}

// findAll asks for several ranges in one transaction.
func (e *Etcd) findAll(ctx context.Context, together *etcdFind) {
	transaction := etcdFindTxn{}
	for _, wanted := range together.wanted {
		transaction.Success = append(transaction.Success, etcdFindOperation{Range: wanted})
	}
	request, err := json.Marshal(transaction)
	if err != nil {
		together.err = err
		return
	}
	reply := e.client.call(ctx, etcdReadsMany, request)
	if reply.err != nil {
		together.refused = final(reply)
		together.err = reply.err
		return
	}
	var done etcdFound
	err = json.Unmarshal(reply.content, &done)
	if err != nil || done.Header.Revision <= 0 || len(done.Responses) != len(together.wanted) {
		together.err = errEtcdAnswer
		return
	}
	for i := range done.Responses {
		found := done.Responses[i].Range
		found.Header = done.Header
		together.found = append(together.found, found)
	}
}
