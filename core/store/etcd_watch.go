package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// etcdRenew is how long a stream of changes lasts, and up to half as long again, before what is known is compared with
// what there is: a member that hangs keeps its connections, and nobody could tell its silence from one in which nothing
// changes.
const etcdRenew = 30 * time.Second

// etcdTries is how often in a row a stream may fail at once, before those who watch hear of it.
const etcdTries = 4

var errEtcdCompacted = errors.New("what is watched from is compacted")

// etcdWatches are the watches of a store's documents. All share one stream of changes, which there is as long as anybody
// watches: with fifty rollouts a gateway costs etcd as much as with one.
type etcdWatches struct {
	mu   sync.Mutex
	list []*etcdWatcher     // guarded by mu
	stop context.CancelFunc // ends the stream; nil if there is none; guarded by mu
}

// etcdWatcher is one who watches a document. The one who watches takes what the stream has for him.
type etcdWatcher struct {
	key  string
	wake chan bool // has room for one, and a value when there is something to take

	// All guarded by the mutex of etcdWatches.
	stale   bool       // the document has to be read
	event   *etcdEvent // the last that was not taken; nil if there is none
	err     error      // with which the watch ends
	version string     // that was told last
}

// Watch calls changed with the document as it is, and whenever it has changed.
func (e *Etcd) Watch(ctx context.Context, name string, changed func(Document)) error {
	w := &etcdWatcher{key: string(e.key(name)), wake: make(chan bool, 1), stale: true, version: "none yet"}
	w.wake <- true
	e.join(w)
	defer e.watches.leave(w)
	known := int64(0) // the cluster's revision up to which everything about the document is known
	for {
		if at, _ := await.First(w.wake, ctx.Done()); at != 0 {
			return ctx.Err()
		}
		news := e.watches.take(w)
		if news.err != nil {
			return fmt.Errorf("watching %s: %w", w.key, news.err)
		}
		if news.stale {
			document, revision, err := e.read(ctx, name)
			if err != nil {
				return err
			}
			known = revision
			e.watches.tell(w, document, changed)
		}
		if news.event == nil || news.event.KV.ModRevision <= known {
			continue
		}
		known = news.event.KV.ModRevision
		document, err := news.event.document([]byte(w.key))
		if err != nil {
			return err
		}
		e.watches.tell(w, document, changed)
	}
}

// join lets somebody watch, and opens the stream for the first.
func (e *Etcd) join(w *etcdWatcher) {
	e.watches.mu.Lock()
	defer e.watches.mu.Unlock()
	e.watches.list = append(e.watches.list, w)
	if e.watches.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		e.watches.stop = cancel
		go e.stream(ctx)
	}
}

// leave ends the stream with the last.
func (s *etcdWatches) leave(w *etcdWatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var others []*etcdWatcher
	for _, other := range s.list {
		if other != w {
			others = append(others, other)
		}
	}
	s.list = others
	if len(others) == 0 && s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// take returns what there is for somebody, who then has it.
func (s *etcdWatches) take(w *etcdWatcher) etcdWatcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := *w
	w.stale = false
	w.event = nil
	return taken
}

// tell calls changed unless it was told that version last.
func (s *etcdWatches) tell(w *etcdWatcher, d Document, changed func(Document)) {
	s.mu.Lock()
	same := w.version == d.Version
	w.version = d.Version
	s.mu.Unlock()
	if !same {
		changed(d)
	}
}

// rouse makes somebody look at what there is for him.
func (w *etcdWatcher) rouse() {
	await.Wake(w.wake)
}

// stream keeps those who watch informed until its context ends. While it can be read what there is, and only streams
// fail, they are opened again; otherwise everybody hears why not, and the next who watches begins anew.
func (e *Etcd) stream(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		revision, err := e.compare(ctx)
		if err != nil {
			e.watches.end(ctx, err)
			return
		}
		began := time.Now()
		err = e.follow(ctx, revision+1)
		if err == nil {
			failures = 0
			continue
		}
		if time.Since(began) > time.Second {
			failures = 0
		}
		failures++
		if failures == etcdTries {
			e.watches.end(ctx, err)
			return
		}
		await.Sleep(ctx, time.Duration(failures)*time.Duration(rand.Int63n(int64(100*time.Millisecond)))) // not all gateways at once
	}
}

// end tells everybody why there is no stream.
func (s *etcdWatches) end(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return // those are another stream's
	}
	for _, w := range s.list {
		w.err = err
		w.rouse()
	}
	s.list = nil
	s.stop()
	s.stop = nil
}

// compare has everybody read his document who has another version than there is, and returns the cluster's revision at
// which that was looked at.
func (e *Etcd) compare(ctx context.Context) (int64, error) {
	found, err := e.find(ctx, etcdRangeRequest{Key: e.watched(), RangeEnd: after(e.documents), KeysOnly: true})
	if err != nil {
		return 0, err
	}
	versions := map[string]string{}
	for _, kv := range found.KVs {
		versions[string(kv.Key)] = etcdVersion(kv.ModRevision, kv.CreateRevision)
	}
	e.watches.mu.Lock()
	defer e.watches.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	for _, w := range e.watches.list {
		if w.version != versions[w.key] {
			w.stale = true
			w.rouse()
		}
	}
	return found.Header.Revision, nil
}

// watched returns the first key that may be watched, behind those of names that begin with a dot: such documents can be a
// thousand times as long as the others, and the stream would bring each change of them to every gateway.
func (e *Etcd) watched() []byte { return []byte(e.documents + "/") }

// follow tells everybody what becomes of the documents from a revision on, until the stream fails, or with a nil error
// until it has lasted long enough, or the member is left whose it is.
func (e *Etcd) follow(ctx context.Context, revision int64) error {
	request, err := json.Marshal(etcdWatchRequest{Create: etcdWatchCreate{Key: e.watched(), RangeEnd: after(e.documents), StartRevision: revision}})
	if err != nil {
		return err
	}
	lasting, cancel := context.WithTimeout(ctx, e.renew+time.Duration(rand.Int63n(int64(e.renew)/2)))
	defer cancel()
	at := int(e.client.working.Load())
	go e.client.staying(lasting, cancel, at)
	err = e.client.stream(lasting, at, request, func(message *etcdWatch) error { return e.watches.deliver(ctx, e.documents, message) })
	if lasting.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, errEtcdCompacted) {
		e.client.avoid(at)
	}
	return err
}

// deliver gives everybody the last event of his document.
func (s *etcdWatches) deliver(ctx context.Context, prefix string, message *etcdWatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range message.Result.Events {
		event := &message.Result.Events[i]
		key := string(event.KV.Key)
		if len(key) < len(prefix) || key[:len(prefix)] != prefix || event.KV.ModRevision <= 0 {
			return errEtcdAnswer
		}
		for _, w := range s.list {
			if w.key == key && ctx.Err() == nil {
				w.event = event
				w.rouse()
			}
		}
	}
	return nil
}

// document returns what an event made of a document.
func (event *etcdEvent) document(key []byte) (Document, error) {
	if event.Type == "DELETE" {
		return Document{}, nil
	}
	return event.KV.document(key)
}
