package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Etcd is a store that many gateways share: a cluster of etcd 3.4 or newer, through its JSON gateway
// (https://etcd.io/docs/latest/dev-guide/api_grpc_gateway/). Every document is the value of one key. A version is the
// key's mod_revision and create_revision: one restored from a backup may count revisions anew, so restore with etcd's
// --bump-revision, or remove the keys.
//
// How large a document may be the cluster says, by --max-request-bytes: 1.5 MiB if nobody changed it.
type Etcd struct {
	documents string // what their keys begin with
	members   string // what the keys of their reports begin with
	client    *etcdClient
	watches   etcdWatches
	reports   etcdReports
	finds     etcdFinds
	renew     time.Duration // etcdRenew
}

// NewEtcd returns the store in a cluster. It asks nothing of it yet. An error names the setting that is wrong.
func NewEtcd(s EtcdSettings) (*Etcd, error) {
	if faults := s.Faults(); len(faults) > 0 {
		return nil, errors.New(faults[0].Setting + ": " + faults[0].Text)
	}
	e := &Etcd{documents: s.prefix() + "state/", members: s.prefix() + "members/", client: newEtcdClient(s), renew: etcdRenew}
	e.reports.hurry = make(chan bool, 1)
	e.reports.kept = map[string]etcdReport{}
	e.reports.leases = map[int64]etcdLease{}
	return e, nil
}

// etcdKV is a key and its value: https://etcd.io/docs/latest/learning/api/#key-value-pair.
type etcdKV struct {
	Key            []byte `json:"key"`
	Value          []byte `json:"value"`
	ModRevision    int64  `json:"mod_revision,string"`
	CreateRevision int64  `json:"create_revision,string"`
}

// etcdHeader is in every answer.
type etcdHeader struct {
	Revision int64 `json:"revision,string"`
}

type etcdRangeRequest struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end,omitempty"` // empty: the key alone
	Limit    int64  `json:"limit,omitempty,string"`
	KeysOnly bool   `json:"keys_only,omitempty"`
}

type etcdRange struct {
	Header etcdHeader `json:"header"`
	KVs    []etcdKV   `json:"kvs"`
	Count  int64      `json:"count,string"` // of the keys in the whole range, whatever the limit
}

type etcdCompare struct {
	Key            []byte `json:"key"`
	Target         string `json:"target"`
	Result         string `json:"result"`
	ModRevision    int64  `json:"mod_revision,omitempty,string"`
	CreateRevision int64  `json:"create_revision,omitempty,string"`
}

type etcdPut struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

type etcdOperation struct {
	Put etcdPut `json:"request_put"`
}

type etcdTxnRequest struct {
	Compare []etcdCompare   `json:"compare"`
	Success []etcdOperation `json:"success"`
}

type etcdTxn struct {
	Header    etcdHeader `json:"header"`
	Succeeded bool       `json:"succeeded"`
}

// Load returns a document.
func (e *Etcd) Load(ctx context.Context, name string) (Document, error) {
	document, _, err := e.read(ctx, name)
	return document, err
}

// read returns a document and the revision of the cluster that it was read at.
func (e *Etcd) read(ctx context.Context, name string) (Document, int64, error) {
	key := e.key(name)
	found, err := e.find(ctx, etcdRangeRequest{Key: key})
	if err != nil {
		return Document{}, 0, err
	}
	if len(found.KVs) > 1 {
		return Document{}, 0, fmt.Errorf("reading %s: %w", key, errEtcdAnswer)
	}
	if len(found.KVs) == 0 {
		return Document{}, found.Header.Revision, nil
	}
	document, err := found.KVs[0].document(key)
	return document, found.Header.Revision, err
}

// after returns the end of the range of keys that begin with a prefix, which ends with a slash.
func after(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}

// Swap replaces the content of a document.
func (e *Etcd) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if err := Check(content); err != nil {
		return "", err
	}
	key := e.key(name)
	mod, create, ok := etcdRevisions(version)
	if !ok {
		return "", ErrConflict // no version that a document here ever had
	}
	request, err := json.Marshal(etcdTxnRequest{
		Compare: []etcdCompare{
			{Key: key, Target: "MOD", Result: "EQUAL", ModRevision: mod},
			{Key: key, Target: "CREATE", Result: "EQUAL", CreateRevision: create},
		},
		Success: []etcdOperation{{Put: etcdPut{Key: key, Value: content}}},
	})
	if err != nil {
		return "", err
	}
	reply := e.client.call(ctx, etcdWrites, request)
	if reply.err != nil {
		return "", fmt.Errorf("writing %s: %w", key, reply.err)
	}
	var done etcdTxn
	err = json.Unmarshal(reply.content, &done)
	if err != nil || done.Header.Revision <= 0 {
		return "", fmt.Errorf("writing %s: %w", key, errEtcdAnswer)
	}
	if !done.Succeeded && reply.unsure {
		// The one who was faster may be this very call, at the member that did not answer.
		return "", fmt.Errorf("writing %s: a member did not answer, and another says that the document has changed: load it to see by whom", key)
	}
	if !done.Succeeded {
		return "", ErrConflict
	}
	if create == 0 {
		create = done.Header.Revision
	}
	return etcdVersion(done.Header.Revision, create), nil
}

// key returns where a document is. No two names share one, and none is under another.
func (e *Etcd) key(name string) []byte { return []byte(e.documents + url.PathEscape(name)) }

// document returns what a key holds.
func (kv etcdKV) document(key []byte) (Document, error) {
	if !bytes.Equal(kv.Key, key) || kv.ModRevision <= 0 || kv.CreateRevision <= 0 {
		return Document{}, fmt.Errorf("reading %s: %w", key, errEtcdAnswer)
	}
	if err := Check(kv.Value); err != nil {
		return Document{}, fmt.Errorf("etcd's key %s holds what somebody else has written: remove it: %w", key, err)
	}
	return Document{Version: etcdVersion(kv.ModRevision, kv.CreateRevision), Content: kv.Value}, nil
}

var errEtcdAnswer = errors.New("this is no answer of etcd: is the endpoint one, 3.4 or newer?")

func etcdVersion(mod, create int64) string {
	return strconv.FormatInt(mod, 10) + "." + strconv.FormatInt(create, 10)
}

// etcdRevisions returns what is in a version: zeros, which keys have that there are not, in that of no document.
func etcdRevisions(version string) (mod, create int64, ok bool) {
	if version == "" {
		return 0, 0, true
	}
	first, second, _ := strings.Cut(version, ".")
	m, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	c, err := strconv.ParseInt(second, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	valid := m > 0 && c > 0 && etcdVersion(m, c) == version
	return m, c, valid
}
