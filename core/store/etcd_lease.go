package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

type etcdLeaseRequest struct {
	ID  string `json:"ID,omitempty"`
	TTL string `json:"TTL,omitempty"`
}

// etcdLeaseAnswer is what a cluster says of a lease: https://etcd.io/docs/latest/learning/api/#lease-api.
type etcdLeaseAnswer struct {
	ID  string `json:"ID"`
	TTL string `json:"TTL"` // empty: the lease has expired
}

type etcdLeaseKept struct {
	Result etcdLeaseAnswer `json:"result"`
}

// lease returns the lease for reports that live that long. It is granted when it is needed first, and renewed when a
// third of its time is over.
func (e *Etcd) lease(ctx context.Context, seconds int64) (string, etcdReply) {
	known, granted := e.reports.leases[seconds]
	if granted && time.Since(known.renewed) < time.Duration(seconds)*time.Second/3 {
		return known.id, etcdReply{}
	}
	now := time.Now()
	if granted && e.renewLease(ctx, known.id) {
		e.reports.leases[seconds] = etcdLease{id: known.id, renewed: now}
		return known.id, etcdReply{}
	}
	id, failed := e.grantLease(ctx, seconds)
	if failed.err == nil {
		e.reports.leases[seconds] = etcdLease{id: id, renewed: now}
	}
	return id, failed
}

func (e *Etcd) grantLease(ctx context.Context, seconds int64) (string, etcdReply) {
	request, err := json.Marshal(etcdLeaseRequest{TTL: strconv.FormatInt(seconds, 10)})
	if err != nil {
		return "", etcdReply{err: err}
	}
	reply := e.client.call(ctx, etcdGrants, request)
	if reply.err != nil {
		return "", reply
	}
	var answer etcdLeaseAnswer
	err = json.Unmarshal(reply.content, &answer)
	if err != nil || answer.ID == "" {
		return "", etcdReply{err: fmt.Errorf("a lease: %w", errEtcdAnswer)}
	}
	return answer.ID, etcdReply{}
}

// renewLease reports whether a lease lives on.
func (e *Etcd) renewLease(ctx context.Context, id string) bool {
	request, err := json.Marshal(etcdLeaseRequest{ID: id})
	if err != nil {
		return false
	}
	reply := e.client.call(ctx, etcdKeepsAlive, request)
	if reply.err != nil {
		return false
	}
	var kept etcdLeaseKept
	err = json.Unmarshal(reply.content, &kept)
	return err == nil && kept.Result.ID == id && kept.Result.TTL != "" && kept.Result.TTL != "0"
}
