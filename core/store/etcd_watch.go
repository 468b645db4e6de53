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

const (
	// etcdTries is how often in a row a stream may fail at once, before those who watch hear of it.
	etcdTries = 4

	// etcdMostFailures is how many failures that they heard of make the pause before the next attempt longer, by a second each.
	etcdMostFailures = 3

	// etcdDeserted is after how many such pauses in a row without anybody who watches there is no further attempt: who heard of
	// a failure watches again after a moment.
	etcdDeserted = 3
)

var errEtcdCompacted = errors.New("what is watched from is compacted")

// etcdWatches are the watches of a store's documents. All share one stream of changes, which there is as long as anybody
// watches: with fifty rollouts a gateway costs etcd as much as with one. That is so when the store is away, too: who was told
// so and watches again waits for the stream with all others.
type etcdWatches struct {
	mu     sync.Mutex
	list   []*etcdWatcher     // guarded by mu
	stop   context.CancelFunc // ends the stream; nil if there is none; guarded by mu
	failed time.Time          // when those who watched heard that the stream fails; zero: it does not; guarded by mu
	alone  int                // how many attempts in a row had nobody who watches; guarded by mu
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

// Watch calls changed with the document as it is, and whenever it has changed. Who has heard that the store is away, and watches
// again, hears that it is back, or after half a minute once more that it is not.
func (e *Etcd) Watch(ctx context.Context, name string, changed func(Document)) error {
	w := &etcdWatcher{key: string(e.key(name)), wake: make(chan bool, 1), stale: true, version: "none yet"}
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
	e.watches.alone = 0
	if e.watches.failed.IsZero() {
		w.rouse()
	}
	if e.watches.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		e.watches.stop = cancel
		go e.stream(ctx)
	}
}

// leave ends the stream with the last, but not with those who leave because it fails.
func (s *etcdWatches) leave(w *etcdWatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return
	}
	var others []*etcdWatcher
	for _, other := range s.list {
		if other != w {
			others = append(others, other)
		}
	}
	s.list = others
	if len(others) == 0 {
		s.end()
	}
}

// end ends the stream. The mutex must be held.
func (s *etcdWatches) end() {
	s.stop()
	s.stop = nil
	s.failed = time.Time{}
	s.alone = 0
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

// stream keeps those who watch informed until its context ends, or nobody watches any more. While it can be read what there
// is, and only streams fail, they are opened again at once; otherwise everybody hears why not.
func (e *Etcd) stream(ctx context.Context) {
	tries, failures := 0, 0
	for ctx.Err() == nil {
		revision, err := e.compare(ctx)
		tries++
		if err != nil {
			tries = etcdTries
		} else {
			began := time.Now()
			err = e.follow(ctx, revision+1)
			if err == nil || time.Since(began) > time.Second {
				tries, failures = 0, 0
			}
		}
		pause := time.Duration(tries+1) * time.Duration(rand.Int63n(int64(100*time.Millisecond))) // not all gateways at once
		if err == nil {
			pause = 0
		}
		if tries >= etcdTries {
			tries = 0
			if failures < etcdMostFailures {
				failures++
			}
			e.watches.fail(ctx, err, e.renew)
			pause = time.Duration(failures) * (time.Second + time.Duration(rand.Int63n(int64(time.Second))))
		}
		await.Sleep(ctx, pause)
		if tries == 0 {
			e.watches.endDeserted(ctx)
		}
	}
}

// fail tells everybody why there is no stream, unless they have heard it not long ago.
func (s *etcdWatches) fail(ctx context.Context, err error, again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || time.Since(s.failed) < again {
		return // those are another stream's, or wait for this one
	}
	s.failed = time.Now()
	for _, w := range s.list {
		w.err = err
		w.rouse()
	}
	s.list = nil
}

// endDeserted ends the stream if nobody who heard of its failure watches again.
func (s *etcdWatches) endDeserted(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || len(s.list) > 0 {
		return
	}
	s.alone++
	if s.alone >= etcdDeserted {
		s.end()
	}
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
	e.watches.failed = time.Time{}
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
