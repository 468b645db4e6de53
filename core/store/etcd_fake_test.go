package store_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/core/await"
)

// fakeEtcd answers as etcd's gateway does, as far as the store asks. It is one member, and all of the cluster.
type fakeEtcd struct {
	mu       sync.Mutex
	revision int64
	keys     map[string]fakeKey
	changed  chan bool // closed with the next change
	events   []fakeEvent
	leases   map[string]bool // that there are
	password string          // of the user "gateway"; empty: there are no users
	logins   int

	// before is asked first, and reports whether it has answered. Nil: nobody is.
	before func(w http.ResponseWriter, r *http.Request) bool
}

type fakeKey struct {
	value       []byte
	mod, create int64
	lease       string
}

// fakeEvent is what was changed, as a watch tells it.
type fakeEvent struct {
	key  string
	mod  int64
	told map[string]any
}

type fakeRange struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end"`
	Limit    int    `json:"limit,string"`
	KeysOnly bool   `json:"keys_only"`
}

type fakeRequest struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end"`
	Limit    int    `json:"limit,string"`
	KeysOnly bool   `json:"keys_only"`
	Compare  []struct {
		Target         string `json:"target"`
		ModRevision    int64  `json:"mod_revision,string"`
		CreateRevision int64  `json:"create_revision,string"`
	} `json:"compare"`
	Success []struct {
		Put struct {
			Key   []byte `json:"key"`
			Value []byte `json:"value"`
			Lease string `json:"lease"`
		} `json:"request_put"`
		Delete struct {
			Key []byte `json:"key"`
		} `json:"request_delete_range"`
		Range fakeRange `json:"request_range"`
	} `json:"success"`
	ID     string `json:"ID"`
	Create struct {
		Key           []byte `json:"key"`
		RangeEnd      []byte `json:"range_end"`
		StartRevision int64  `json:"start_revision,string"`
	} `json:"create_request"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

func newFakeEtcd() *fakeEtcd {
	return &fakeEtcd{revision: 1, keys: map[string]fakeKey{}, changed: make(chan bool), leases: map[string]bool{}}
}

// serve starts a member.
func (f *fakeEtcd) serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.answer(w, r) }))
	t.Cleanup(func() { server.Close() })
	return server
}

func (f *fakeEtcd) answer(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	before := f.before
	f.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	f.dispatch(w, r)
}

// change changes a member at work.
func (f *fakeEtcd) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

func (f *fakeEtcd) dispatch(w http.ResponseWriter, r *http.Request) {
	var request fakeRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, 400, 3, "this is no JSON")
		return
	}
	if r.URL.Path == "/v3/auth/authenticate" {
		f.authenticate(w, request)
		return
	}
	if !f.knows(r.Header.Get("Authorization")) {
		const fault = "etcdserver: invalid auth token"
		if r.URL.Path == "/v3/watch" || r.URL.Path == "/v3/lease/keepalive" { // which stream
			w.WriteHeader(401)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": 16, "message": fault}})
			return
		}
		refuse(w, 401, 16, fault)
		return
	}
	switch r.URL.Path {
	case "/v3/kv/range":
		f.mu.Lock()
		defer f.mu.Unlock()
		_ = json.NewEncoder(w).Encode(f.find(fakeRange{Key: request.Key, RangeEnd: request.RangeEnd, Limit: request.Limit, KeysOnly: request.KeysOnly}))
	case "/v3/kv/txn":
		f.txn(w, request)
	case "/v3/watch":
		f.watch(w, r, request)
	case "/v3/lease/grant":
		f.grant(w)
	case "/v3/lease/keepalive":
		f.keep(w, request)
	default:
		refuse(w, 404, 5, "Not Found")
	}
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message})
}

func (f *fakeEtcd) token() string { return "token." + strconv.Itoa(f.logins) }

func (f *fakeEtcd) knows(token string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.password == "" || f.logins > 0 && token == f.token()
}

func (f *fakeEtcd) authenticate(w http.ResponseWriter, request fakeRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.password == "" {
		refuse(w, 400, 9, "etcdserver: authentication is not enabled")
		return
	}
	if request.Name != "gateway" || request.Password != f.password {
		refuse(w, 400, 3, "etcdserver: authentication failed, invalid user ID or password: "+request.Password)
		return
	}
	f.logins++
	_ = json.NewEncoder(w).Encode(map[string]any{"header": f.header(), "token": f.token()})
}

func (f *fakeEtcd) header() map[string]any {
	return map[string]any{"revision": strconv.FormatInt(f.revision, 10)}
}

// kv returns a key as the gateway writes it: without it what is not there.
func (f *fakeEtcd) kv(key string) map[string]any {
	k := f.keys[key]
	return map[string]any{"key": []byte(key), "value": k.value, "mod_revision": strconv.FormatInt(k.mod, 10), "create_revision": strconv.FormatInt(k.create, 10)}
}

// in reports whether a key is in a range.
func in(key string, from, end []byte) bool {
	if len(end) == 0 {
		return key == string(from)
	}
	return key >= string(from) && key < string(end)
}

// find answers one question. f.mu is held.
func (f *fakeEtcd) find(request fakeRange) map[string]any {
	var names []string
	for key := range f.keys {
		if in(key, request.Key, request.RangeEnd) {
			names = append(names, key)
		}
	}
	sort.Strings(names)
	count := strconv.Itoa(len(names))
	if request.Limit > 0 && len(names) > request.Limit {
		names = names[:request.Limit]
	}
	var kvs []map[string]any
	for _, key := range names {
		kv := f.kv(key)
		if request.KeysOnly {
			delete(kv, "value")
		}
		kvs = append(kvs, kv)
	}
	return map[string]any{"header": f.header(), "kvs": kvs, "count": count}
}

func (f *fakeEtcd) txn(w http.ResponseWriter, request fakeRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.keys[string(request.Success[0].Put.Key)]
	answer := map[string]any{"header": f.header()}
	same := true
	for _, c := range request.Compare {
		if c.Target == "MOD" && c.ModRevision != k.mod || c.Target == "CREATE" && c.CreateRevision != k.create {
			same = false
		}
	}
	for _, operation := range request.Success {
		if lease := operation.Put.Lease; lease != "" && !f.leases[lease] {
			refuse(w, 404, 5, "etcdserver: requested lease not found")
			return
		}
	}
	if len(request.Success[0].Range.Key) > 0 {
		var found []map[string]any
		for _, operation := range request.Success {
			found = append(found, map[string]any{"response_range": f.find(operation.Range)})
		}
		answer = map[string]any{"header": f.header(), "succeeded": true, "responses": found}
	} else if same {
		for _, operation := range request.Success {
			if len(operation.Delete.Key) > 0 {
				f.remove(string(operation.Delete.Key))
				continue
			}
			f.put(string(operation.Put.Key), operation.Put.Value)
			k := f.keys[string(operation.Put.Key)]
			k.lease = operation.Put.Lease
			f.keys[string(operation.Put.Key)] = k
		}
		answer = map[string]any{"header": f.header(), "succeeded": true}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// put changes a key. f.mu is held.
func (f *fakeEtcd) put(key string, value []byte) {
	f.revision++
	k := f.keys[key]
	k.value = value
	k.mod = f.revision
	if k.create == 0 {
		k.create = f.revision
	}
	f.keys[key] = k
	f.events = append(f.events, fakeEvent{key: key, mod: f.revision, told: map[string]any{"kv": f.kv(key)}})
	close(f.changed)
	f.changed = make(chan bool)
}

// remove removes a key. f.mu is held.
func (f *fakeEtcd) remove(key string) {
	delete(f.keys, key)
	f.revision++
	told := map[string]any{"type": "DELETE", "kv": map[string]any{"key": []byte(key), "mod_revision": strconv.FormatInt(f.revision, 10)}}
	f.events = append(f.events, fakeEvent{key: key, mod: f.revision, told: told})
	close(f.changed)
	f.changed = make(chan bool)
}

func (f *fakeEtcd) grant(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := strconv.Itoa(len(f.leases) + 7)
	f.leases[id] = true
	_ = json.NewEncoder(w).Encode(map[string]any{"header": f.header(), "ID": id, "TTL": "15"})
}

func (f *fakeEtcd) keep(w http.ResponseWriter, request fakeRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := map[string]any{"header": f.header(), "ID": request.ID}
	if f.leases[request.ID] {
		kept["TTL"] = "15"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"result": kept})
}

// expire ends all leases, and what they keep. f.mu is held.
func (f *fakeEtcd) expire() {
	for id := range f.leases {
		f.leases[id] = false
	}
	for key, k := range f.keys {
		if k.lease != "" {
			f.remove(key)
		}
	}
}

func (f *fakeEtcd) watch(w http.ResponseWriter, r *http.Request, request fakeRequest) {
	say := func(message map[string]any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"result": message})
		_ = http.NewResponseController(w).Flush()
	}
	say(map[string]any{"created": true})
	told := request.Create.StartRevision - 1
	for {
		var news []map[string]any
		f.mu.Lock()
		for _, event := range f.events {
			if event.mod > told && in(event.key, request.Create.Key, request.Create.RangeEnd) {
				news = append(news, event.told)
				told = event.mod
			}
		}
		next := f.changed
		f.mu.Unlock()
		if len(news) > 0 {
			say(map[string]any{"events": news})
		}
		if at, _ := await.First(next, r.Context().Done()); at == 1 {
			return
		}
	}
}
