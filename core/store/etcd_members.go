package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

const (
	// etcdGather is how long reports wait for others at most, to be written together.
	etcdGather = time.Second

	// etcdOperations is how many keys one transaction may change: etcd's own --max-txn-ops, if nobody changed it.
	etcdOperations = 128

	// etcdTransaction is how many bytes of reports one transaction may have: two thirds of etcd's own limit.
	etcdTransaction = 1 << 20
)

// etcdReports are what this process reports. They are written together: with fifty rollouts a gateway costs etcd one
// transaction in a second at most. All reports of a process with the same time to live have one lease, which every
// transaction renews that comes late enough: who reports nothing any more is forgotten with all that he said.
type etcdReports struct {
	mu      sync.Mutex
	next    *etcdBatch            // that is going to be written; nil if nothing is; guarded by mu
	writing bool                  // whether somebody writes; guarded by mu
	hurry   chan bool             // has room for one: somebody leaves
	kept    map[string]etcdReport // that were written, by key; only for who writes
	leases  map[int64]etcdLease   // by seconds; only for who writes
	crowd   atomic.Int64          // how many reports there were of the rollout whose were read last
	count   atomic.Int64          // of kept
}

// etcdBatch is what is written together.
type etcdBatch struct {
	reports map[string]etcdReport // by key
	done    chan bool             // closed when it was tried
	err     error                 // afterwards
}

// etcdReport is what is said of a rollout by one of its members.
type etcdReport struct {
	content []byte // nil: nothing any more
	seconds int64  // to live
	written time.Time
}

// etcdLease is what reports live as long as.
type etcdLease struct {
	id      string
	renewed time.Time
}

// Report replaces what a member says of a rollout.
func (e *Etcd) Report(ctx context.Context, rollout, member string, content []byte, ttl time.Duration) error {
	if err := CheckReport(content); err != nil {
		return err
	}
	seconds := int64((ttl + time.Second - 1) / time.Second)
	return e.say(ctx, e.reportKey(rollout, member), etcdReport{content: content, seconds: seconds})
}

// Leave forgets what a member said of a rollout.
func (e *Etcd) Leave(ctx context.Context, rollout, member string) error {
	return e.say(ctx, e.reportKey(rollout, member), etcdReport{})
}

func (e *Etcd) reportKey(rollout, member string) string {
	return e.members + url.PathEscape(rollout) + "/" + url.PathEscape(member)
}

// Reporting returns how many reports this process has written, and not left.
func (e *Etcd) Reporting() int { return int(e.reports.count.Load()) }

// say has a report written with others, and waits for it.
func (e *Etcd) say(ctx context.Context, key string, report etcdReport) error {
	r := &e.reports
	r.mu.Lock()
	if r.next == nil {
		r.next = &etcdBatch{reports: map[string]etcdReport{}, done: make(chan bool)}
	}
	batch := r.next
	batch.reports[key] = report
	if !r.writing {
		r.writing = true
		go e.write()
	}
	r.mu.Unlock()
	if report.content == nil {
		await.Wake(r.hurry)
	}
	if at, _ := await.First(batch.done, ctx.Done()); at != 0 {
		return ctx.Err()
	}
	return batch.err
}

// write writes what is reported, until nothing has been for some time.
func (e *Etcd) write() {
	for {
		batch := e.reports.take()
		if batch == nil {
			return
		}
		batch.err = e.writeBatch(batch)
		close(batch.done)
		gathered := time.NewTimer(etcdGather)
		if at, _ := await.First(e.reports.hurry, gathered.C); at == 0 {
			time.Sleep(etcdGather / 20) // others will leave as well
		}
		gathered.Stop()
	}
}

// take returns what is to be written, or nil when nothing is: then the writer's work is over.
func (r *etcdReports) take() *etcdBatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := r.next
	r.next = nil
	r.writing = batch != nil
	return batch
}

// writeBatch writes reports, and removes those of this process that are too old.
func (e *Etcd) writeBatch(batch *etcdBatch) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*DefaultEtcdTimeout)
	defer cancel()
	now := time.Now()
	for key, old := range e.reports.kept {
		_, again := batch.reports[key]
		if !again && now.Sub(old.written) > time.Duration(old.seconds)*time.Second {
			batch.reports[key] = etcdReport{}
		}
	}
	var keys []string
	size := 0
	for key, report := range batch.reports {
		if len(keys) == etcdOperations || len(keys) > 0 && size+len(report.content) > etcdTransaction {
			if err := e.writeReports(ctx, batch, keys); err != nil {
				return err
			}
			keys = nil
			size = 0
		}
		keys = append(keys, key)
		size += len(key) + len(report.content)
	}
	return e.writeReports(ctx, batch, keys)
}

// writeReports writes some reports of a batch in one transaction: with new leases if the old ones have expired.
func (e *Etcd) writeReports(ctx context.Context, batch *etcdBatch, keys []string) error {
	reply := e.tryReports(ctx, batch, keys)
	if reply.code == etcdNotFound {
		e.reports.leases = map[int64]etcdLease{}
		reply = e.tryReports(ctx, batch, keys)
	}
	if reply.err != nil {
		return fmt.Errorf("writing reports of members: %w", reply.err)
	}
	for _, key := range keys {
		report := batch.reports[key]
		report.written = time.Now()
		if report.content == nil {
			delete(e.reports.kept, key)
		} else {
			e.reports.kept[key] = etcdReport{seconds: report.seconds, written: report.written}
		}
	}
	e.reports.count.Store(int64(len(e.reports.kept)))
	return nil
}

func (e *Etcd) tryReports(ctx context.Context, batch *etcdBatch, keys []string) etcdReply {
	transaction := etcdReportTxn{}
	for _, key := range keys {
		report := batch.reports[key]
		operation := etcdReportOperation{}
		if report.content == nil {
			operation.Delete = &etcdRangeRequest{Key: []byte(key)}
		} else {
			lease, failed := e.lease(ctx, report.seconds)
			if failed.err != nil {
				return failed
			}
			operation.Put = &etcdReportPut{Key: []byte(key), Value: report.content, Lease: lease}
		}
		transaction.Success = append(transaction.Success, operation)
	}
	request, err := json.Marshal(transaction)
	if err != nil {
		return etcdReply{err: err}
	}
	return e.client.call(ctx, etcdWrites, request)
}

type etcdReportTxn struct {
	Success []etcdReportOperation `json:"success"`
}

type etcdReportOperation struct {
	Put    *etcdReportPut    `json:"request_put,omitempty"`
	Delete *etcdRangeRequest `json:"request_delete_range,omitempty"`
}

type etcdReportPut struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	Lease string `json:"lease"`
}
