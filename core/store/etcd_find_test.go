package store_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/store"
)

// loaded is what became of a question for the document that is called as its number.
type loaded struct {
	number   int
	document store.Document
	err      error
}

// numbered are a fake with documents 0 to n-1, each of which holds its number.
func numbered(n int) *fakeEtcd {
	fake := newFakeEtcd()
	for i := 0; i < n; i++ {
		fake.put("/grayling/state/"+strconv.Itoa(i), []byte(strconv.Itoa(i)))
	}
	return fake
}

// loadAll asks for the documents 0 to n-1 at the same time.
func loadAll(e *store.Etcd, n int) chan loaded {
	all := make(chan loaded, n)
	for i := 0; i < n; i++ {
		i := i
		go func() {
			document, err := e.Load(context.Background(), strconv.Itoa(i))
			l := loaded{number: i, document: document, err: err}
			all <- l
		}()
	}
	return all
}

// check takes n answers, of which those from there on are that there is no document.
func check(t *testing.T, all chan loaded, n, there int) {
	t.Helper()
	for i := 0; i < n; i++ {
		l := <-all
		want := ""
		if l.number < there {
			want = strconv.Itoa(l.number)
		}
		if l.err != nil || string(l.document.Content) != want || (want == "") != (l.document.Version == "") {
			t.Errorf("document %d is %q, version %q, %v", l.number, l.document.Content, l.document.Version, l.err)
		}
	}
}

// TestEtcdAsksTogether: who asks while an answer is awaited asks together with others.
func TestEtcdAsksTogether(t *testing.T) {
	const documents = 60
	fake := numbered(documents - 10)
	var asked atomic.Int64
	fake.before = func(_ http.ResponseWriter, _ *http.Request) bool {
		asked.Add(1)
		return false
	}
	e := openEtcd(t, fake.serve(t).URL)
	fewest := int64(documents)
	for round := 0; round < 100 && fewest > documents/10; round++ { // a busy machine may begin the goroutines one by one
		before := asked.Load()
		check(t, loadAll(e, documents), documents, documents-10)
		if n := asked.Load() - before; n < fewest {
			fewest = n
		}
	}
	if fewest > documents/10 {
		t.Errorf("%d documents are asked for in %d requests", documents, fewest)
	}
	document, err := e.Load(context.Background(), "7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Swap(context.Background(), "7", document.Version, []byte("8")); err != nil {
		t.Errorf("the version of a document that was read with others: %v", err)
	}
}

// TestEtcdRefusesTogether: what is refused because of others is asked for alone.
func TestEtcdRefusesTogether(t *testing.T) {
	fake := numbered(20)
	var refused atomic.Int64
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/kv/txn" {
			return false
		}
		refused.Add(1)
		refuse(w, 403, 7, "etcdserver: permission denied")
		return true
	}
	e := openEtcd(t, fake.serve(t).URL)
	for round := 0; round < 100 && refused.Load() == 0; round++ {
		check(t, loadAll(e, 20), 20, 20)
	}
	if refused.Load() == 0 {
		t.Error("nothing was asked together")
	}
}

// TestEtcdAsksBesideSlowAnswers: an answer that is late keeps nobody from asking.
func TestEtcdAsksBesideSlowAnswers(t *testing.T) {
	fake := numbered(2)
	goOn := make(chan struct{})
	first := make(chan bool, 1)
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return true
		}
		var request fakeRequest
		if err := json.Unmarshal(content, &request); err == nil && string(request.Key) == "/grayling/state/0" {
			first <- true
			await.First(goOn, r.Context().Done())
		}
		fake.mu.Lock()
		defer fake.mu.Unlock()
		_ = json.NewEncoder(w).Encode(fake.find(fakeRange{Key: request.Key}))
		return true
	}
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL}, Timeout: time.Minute})
	slow := loadAll(e, 1)
	<-first
	document, err := e.Load(context.Background(), "1")
	if err != nil || string(document.Content) != "1" {
		t.Errorf("%q, %v", document.Content, err)
	}
	close(goOn)
	check(t, slow, 1, 2)
}
