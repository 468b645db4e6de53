package store_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/store"
	"github.com/grayling-gateway/grayling/core/store/storetest"
)

// openEtcd returns the store behind endpoints, which reports nothing.
// openEtcd is for tests that do not wait for time-outs: they are longer than a busy machine needs.
func openEtcd(t *testing.T, endpoints ...string) *store.Etcd {
	t.Helper()
	return openEtcdWith(t, store.EtcdSettings{Endpoints: endpoints, Timeout: time.Minute, Report: func(fault error) { t.Errorf("reported: %v", fault) }})
}

func openEtcdWith(t *testing.T, settings store.EtcdSettings) *store.Etcd {
	t.Helper()
	e, err := store.NewEtcd(settings)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEtcd(t *testing.T) {
	url := newFakeEtcd().serve(t).URL
	storetest.Contract(t, func() store.Store {
		e := openEtcd(t, url)
		return e
	})
}

func TestEtcdSettings(t *testing.T) {
	password := func() string { return "hush" }
	for _, c := range []struct {
		settings store.EtcdSettings
		text     string
	}{
		{store.EtcdSettings{}, "endpoints: name the members"},
		{store.EtcdSettings{Endpoints: []string{"http://a:1", "10.0.0.1:2379"}}, "endpoints[1]: not a URL"},
		{store.EtcdSettings{Endpoints: []string{"http://"}}, "endpoints[0]: not a URL"},
		{store.EtcdSettings{Endpoints: []string{"etcd://a:1"}}, "endpoints[0]: not a URL"},
		{store.EtcdSettings{Endpoints: []string{"http://root:hush@a:1"}}, "endpoints[0]: a:1: a name and password"},
		{store.EtcdSettings{Endpoints: []string{"http://a:1/v3"}}, "endpoints[0]: a:1: leave out"},
		{store.EtcdSettings{Endpoints: []string{"http://a:1?key=hush"}}, "endpoints[0]: a:1: leave out"},
		{store.EtcdSettings{Endpoints: []string{"http://a:1"}, TLS: func() (*tls.Config, error) { return nil, nil }}, "write https://a:1"},
		{store.EtcdSettings{Endpoints: []string{"http://a:1"}, Password: password}, "username: "},
		{store.EtcdSettings{Endpoints: []string{"http://a:1"}, Username: "me"}, "password: the user me needs"},
	} {
		_, err := store.NewEtcd(c.settings)
		if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error %v", c.text, err)
		}
	}
}

// TestEtcdKeys: each name has a key of its own under the prefix, whatever is in it.
func TestEtcdKeys(t *testing.T) {
	for _, c := range []struct{ prefix, name, key string }{
		{"", "checkout", "/grayling/state/checkout"},
		{"/team", "checkout", "/team/state/checkout"},
		{"team//", "../a/b c", "team/state/..%2Fa%2Fb%20c"},
		{"/", "日", "/state/%E6%97%A5"},
	} {
		c := c
		fake := newFakeEtcd()
		e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL + "/"}, Prefix: c.prefix})
		if _, err := e.Swap(context.Background(), c.name, "", []byte("1")); err != nil {
			t.Errorf("%s %s: %v", c.prefix, c.name, err)
		}
		fake.change(func() {
			if string(fake.keys[c.key].value) != "1" {
				t.Errorf("%s %s: keys %v", c.prefix, c.name, fake.keys)
			}
		})
	}
}

// damages are answers that etcd does not give.
var damages = []string{
	"", "null", "{}", "[]", "<html>", `{"header":{}}`, `{"header":{"revision":"x"}}`, `{"header":{"revision":"-1"}}`, `{"header":{"revision":"7"}`,
	`{"header":{"revision":"7"},"kvs":[{}]}`,
	`{"header":{"revision":"7"},"kvs":[{"key":"L2dyYXlsaW5nL3N0YXRlL2E=","mod_revision":"7","value":"MQ=="}]}`,
	`{"header":{"revision":"7"},"kvs":[{"key":"L2dyYXlsaW5nL3N0YXRlL2I=","mod_revision":"7","create_revision":"7","value":"MQ=="}]}`,
	`{"header":{"revision":"7"},"kvs":[{"key":"L2dyYXlsaW5nL3N0YXRlL2E=","mod_revision":"7","create_revision":"7","value":"%"}]}`,
	strings.Repeat(" ", 6<<20) + `{"header":{"revision":"7"}}`,
}

func TestEtcdDamagedAnswers(t *testing.T) {
	for i, damage := range damages {
		i, damage := i, damage
		fake := newFakeEtcd()
		fake.before = func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, damage)
			return true
		}
		e := openEtcd(t, fake.serve(t).URL)
		d, err := e.Load(context.Background(), "a")
		if err == nil || d.Version != "" {
			t.Errorf("damage %d: loaded %q, error %v", i, d.Version, err)
		}
		err = e.Watch(context.Background(), "a", func(d store.Document) { t.Errorf("damage %d: watched %q", i, d.Version) })
		if err == nil {
			t.Errorf("damage %d: no error of a watch", i)
		}
		version, err := e.Swap(context.Background(), "a", "7.7", []byte("1"))
		sound := strings.HasPrefix(damage, `{"header":{"revision":"7"},`) // and a comparison that failed
		if version != "" || err == nil || errors.Is(err, store.ErrConflict) != sound {
			t.Errorf("damage %d: swapped to %q, error %v", i, version, err)
		}
	}
}

// TestEtcdForeignValue: what is no document is none, and an error says where it is.
func TestEtcdForeignValue(t *testing.T) {
	fake := newFakeEtcd()
	fake.put("/grayling/state/a", []byte("{"))
	e := openEtcd(t, fake.serve(t).URL)
	if _, err := e.Load(context.Background(), "a"); !errors.Is(err, store.ErrDocument) || !strings.Contains(err.Error(), "/grayling/state/a") {
		t.Errorf("error %v", err)
	}
}

// TestEtcdDamagedWatches: whatever a stream says, the watch ends with an error, and the caller begins anew.
func TestEtcdDamagedWatches(t *testing.T) {
	for _, c := range []struct{ stream, text string }{
		{"", "the watch has ended"},
		{"{\n", "no answer of etcd"},
		{`{"result":{"created":true}}` + "\n", "the watch has ended"},
		{`{"result":{"created":true}}` + "\n" + `{"result":{"events":[{"kv":{"key":"eA=="}}]}}` + "\n", "no answer of etcd"},
		{`{"result":{"created":true,"canceled":true,"cancel_reason":"permission denied"}}` + "\n", "permission denied"},
		{`{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}` + "\n", "no leader"},
		{strings.Repeat("x", 6<<20) + "\n", "too long"},
	} {
		c := c
		fake := newFakeEtcd()
		fake.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v3/watch" {
				_, _ = io.WriteString(w, c.stream)
			}
			return r.URL.Path == "/v3/watch"
		}
		seen := 0
		err := openEtcd(t, fake.serve(t).URL).Watch(context.Background(), "a", func(d store.Document) { seen++ })
		if err == nil || !strings.Contains(err.Error(), c.text) || seen != 1 {
			t.Errorf("%.60q: saw %d versions, error %v", c.stream, seen, err)
		}
	}
}

// TestEtcdRefusedWatch: etcd's own words say why there is no watch.
func TestEtcdRefusedWatch(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v3/watch" {
			refuse(w, 503, 14, "etcdserver: too many requests")
		}
		return r.URL.Path == "/v3/watch"
	}
	err := openEtcd(t, fake.serve(t).URL).Watch(context.Background(), "a", func(_ store.Document) {})
	if err == nil || !strings.Contains(err.Error(), "too many requests") {
		t.Errorf("error %v", err)
	}
}

// TestEtcdCompacted: a watch that begins too long ago reads the document anew and goes on. So it does when the key is
// removed.
func TestEtcdCompacted(t *testing.T) {
	fake := newFakeEtcd()
	var watches atomic.Int64
	first := make(chan bool)
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/watch" || watches.Add(1) > 1 {
			return false
		}
		<-first
		fake.change(func() { fake.put("/grayling/state/a", []byte("2")) })
		_, _ = io.WriteString(w, `{"result":{"created":true}}`+"\n"+`{"result":{"canceled":true,"compact_revision":"3"}}`+"\n")
		return true
	}
	e := openEtcd(t, fake.serve(t).URL)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var seen []string
	err := e.Watch(ctx, "a", func(d store.Document) {
		seen = append(seen, string(d.Content))
		if len(seen) == 1 {
			close(first)
		}
		if string(d.Content) == "2" {
			cancel()
		}
	})
	if strings.Join(seen, ",") != ",2" || !errors.Is(err, context.Canceled) {
		t.Errorf("saw %q, error %v", seen, err)
	}
}

// TestEtcdFailover: a member that fails is left for another, which is told; one that refuses for all is believed.
func TestEtcdFailover(t *testing.T) {
	good := newFakeEtcd()
	goodURL := good.serve(t).URL
	faults := []func(w http.ResponseWriter, r *http.Request) bool{
		func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, 503, 14, "etcdserver: leader changed")
			return true
		},
		func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, 504, 4, "context deadline exceeded")
			return true
		},
		func(w http.ResponseWriter, _ *http.Request) bool { _, _ = io.WriteString(w, "<html>"); return true },
		func(w http.ResponseWriter, _ *http.Request) bool {
			http.Redirect(w, &http.Request{}, "http://elsewhere.invalid/", http.StatusTemporaryRedirect)
			return true
		},
	}
	bad := []string{"http://127.0.0.1:1"} // where nobody listens
	for i := range faults {
		fake := newFakeEtcd()
		fake.before = faults[i]
		bad = append(bad, fake.serve(t).URL)
	}
	for i, url := range bad {
		left, reports := false, 0
		for try := 0; try < 60 && !left; try++ { // each begins with either
			e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{url, goodURL}, Report: func(_ error) { reports++ }})
			for again := 0; again < 3; again++ {
				if _, err := e.Load(context.Background(), "a"); err != nil {
					t.Errorf("member %d: %v", i, err)
				}
			}
			left = reports > 0
		}
		if reports != 1 {
			t.Errorf("member %d: %d reports", i, reports)
		}
		_, err := openEtcd(t, url).Load(context.Background(), "a")
		if err == nil {
			t.Errorf("member %d: no error", i)
		}
	}
}

// TestEtcdLostAnswer: nobody is told that somebody else was faster if it may have been this very call.
func TestEtcdLostAnswer(t *testing.T) {
	fake := newFakeEtcd()
	var txns atomic.Int64
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v3/kv/txn" && txns.Add(1) == 1 {
			fake.dispatch(httptest.NewRecorder(), r)
			refuse(w, 503, 14, "etcdserver: request timed out")
			return true
		}
		return false
	}
	url := fake.serve(t).URL
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{url, url}})
	version, err := e.Swap(context.Background(), "a", "", []byte("1"))
	if version != "" || err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("version %q, error %v", version, err)
	}
	if _, err := e.Swap(context.Background(), "a", "", []byte("1")); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the next: error %v", err)
	}
}

func TestEtcdTooLarge(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, 400, 3, "etcdserver: request is too large")
		return true
	}
	_, err := openEtcd(t, fake.serve(t).URL).Swap(context.Background(), "a", "", []byte("1"))
	if !errors.Is(err, store.ErrDocument) || !strings.Contains(err.Error(), "--max-request-bytes") {
		t.Errorf("error %v", err)
	}
}

// TestEtcdSilence: whoever does not answer is left alone when the caller's time is over.
func TestEtcdSilence(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // or nobody would see the client go
		<-r.Context().Done()
		return true
	}
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL}, Report: func(fault error) { t.Errorf("reported: %v", fault) }})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, loading := e.Load(ctx, "a")
	_, swapping := e.Swap(ctx, "a", "", []byte("1"))
	watching := e.Watch(ctx, "a", func(_ store.Document) {})
	for _, err := range []error{loading, swapping, watching} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := e.Load(context.Background(), "a"); err == nil || !regexp.MustCompile(`no answer within ([3-9]|\d\d)(\.\d)?s`).MatchString(err.Error()) { // 3s, or what a busy machine makes of it
		t.Errorf("error %v", err)
	}
}

// TestEtcdTurns: a request that others keep from being sent says so, and blames no member.
func TestEtcdTurns(t *testing.T) {
	fake := newFakeEtcd()
	var asked atomic.Int64
	goOn := make(chan struct{})
	fake.before = func(_ http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		await.First(goOn, r.Context().Done())
		return false
	}
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL}, Timeout: time.Minute})
	ended := make(chan error, 7)
	for i := 0; i < 7; i++ {
		name := strconv.Itoa(i)
		go func() {
			_, err := e.Swap(context.Background(), name, "", []byte("{}"))
			ended <- err
		}()
	}
	for began := time.Now(); asked.Load() < 7 && time.Since(began) < time.Minute; {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := e.Load(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "has not answered the 7 requests before this one") {
		t.Errorf("error %v", err)
	}
	close(goOn)
	for i := 0; i < 7; i++ {
		if err := <-ended; err != nil {
			t.Errorf("error %v", err)
		}
	}
	if asked.Load() != 7 {
		t.Errorf("it was asked %d times", asked.Load())
	}
}

// TestEtcdOutage: when a request was not answered for long, others do not wait as well; soon after they ask again.
func TestEtcdOutage(t *testing.T) {
	fake := newFakeEtcd()
	var asked atomic.Int64
	fake.before = func(_ http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return true
	}
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL}, Report: func(fault error) { t.Errorf("reported: %v", fault) }})
	const waits = 2500 * time.Millisecond
	asking := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), waits)
	defer cancel()
	if _, err := e.Load(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	fake.change(func() { fake.before = nil })
	fails := 0
	for began := time.Now(); time.Since(began) < time.Minute; fails++ {
		if _, err := e.Load(context.Background(), "a"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if fails == 0 && time.Since(asking) > waits+time.Second {
		fails = 1 // the machine was too busy to ask again so soon
	}
	if fails == 0 || asked.Load() != 1 {
		t.Errorf("%d requests failed afterwards, and %d were sent", fails, asked.Load())
	}
}
