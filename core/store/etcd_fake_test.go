package store_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// fakeEtcd answers as etcd's gateway does, as far as the store asks. It is one member, and all of the cluster.
type fakeEtcd struct {
	mu       sync.Mutex
	revision int64
	keys     map[string]fakeKey
	changed  chan bool // closed with the next change
	password string    // of the user "gateway"; empty: there are no users
	logins   int

	// before is asked first, and reports whether it has answered. Nil: nobody is.
	before func(w http.ResponseWriter, r *http.Request) bool
}

type fakeKey struct {
	value       []byte
	mod, create int64
}

type fakeRequest struct {
	Key     []byte `json:"key"`
	Compare []struct {
		Target         string `json:"target"`
		ModRevision    int64  `json:"mod_revision,string"`
		CreateRevision int64  `json:"create_revision,string"`
	} `json:"compare"`
	Success []struct {
		Put struct {
			Key   []byte `json:"key"`
			Value []byte `json:"value"`
		} `json:"request_put"`
	} `json:"success"`
	Create struct {
		Key           []byte `json:"key"`
		StartRevision int64  `json:"start_revision,string"`
	} `json:"create_request"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

func newFakeEtcd() *fakeEtcd {
	return &fakeEtcd{revision: 1, keys: map[string]fakeKey{}, changed: make(chan bool)}
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
		refuse(w, 401, 16, "etcdserver: invalid auth token")
		return
	}
	switch r.URL.Path {
	case "/v3/kv/range":
		f.find(w, request)
	case "/v3/kv/txn":
		f.txn(w, request)
	case "/v3/watch":
		f.watch(w, r, request)
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

func (f *fakeEtcd) find(w http.ResponseWriter, request fakeRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := map[string]any{"header": f.header()}
	if f.keys[string(request.Key)].mod > 0 {
		answer["kvs"] = []map[string]any{f.kv(string(request.Key))}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fakeEtcd) txn(w http.ResponseWriter, request fakeRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	put := request.Success[0].Put
	k := f.keys[string(put.Key)]
	answer := map[string]any{"header": f.header()}
	same := len(request.Compare) == 2
	for _, c := range request.Compare {
		if c.Target == "MOD" && c.ModRevision != k.mod || c.Target == "CREATE" && c.CreateRevision != k.create {
			same = false
		}
	}
	if same {
		f.put(string(put.Key), put.Value)
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
	close(f.changed)
	f.changed = make(chan bool)
}

func (f *fakeEtcd) watch(w http.ResponseWriter, r *http.Request, request fakeRequest) {
	say := func(message map[string]any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"result": message})
		_ = http.NewResponseController(w).Flush()
	}
	say(map[string]any{"created": true})
	from := request.Create.StartRevision
	for {
		f.mu.Lock()
		k := f.keys[string(request.Create.Key)]
		event := f.kv(string(request.Create.Key))
		next := f.changed
		f.mu.Unlock()
		if k.mod >= from {
			say(map[string]any{"events": []map[string]any{{"kv": event}}})
			from = k.mod + 1
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		}
	}
}
