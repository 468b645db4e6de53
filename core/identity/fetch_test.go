package identity

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// keyServer serves key sets, and can be made to fail.
type keyServer struct {
	*httptest.Server
	mu      sync.Mutex
	status  int
	content string
	cache   string
	fetched int
}

func newKeyServer(t *testing.T, content string) *keyServer {
	t.Helper()
	k := &keyServer{content: content, status: http.StatusOK}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { k.answer(w) }))
	t.Cleanup(func() { k.Server.Close() })
	return k
}

func (k *keyServer) answer(w http.ResponseWriter) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fetched++
	w.Header().Set("Cache-Control", k.cache)
	w.WriteHeader(k.status)
	_, _ = w.Write([]byte(k.content))
}

func (k *keyServer) set(status int, content string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = status
	k.content = content
}

func (k *keyServer) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fetched
}

// running is a verifier with its background work, and what that reported.
type running struct {
	*Verifier
	mu      sync.Mutex
	reports []string
}

func run(t *testing.T, url string, memory *Memory) *running {
	t.Helper()
	r := &running{Verifier: New(Settings{Memory: memory})}
	r.begin(t, url)
	return r
}

func (r *running) begin(t *testing.T, url string) {
	t.Helper()
	if err := r.Fetch(url); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		r.Run(ctx, func(url string, err error) { r.report(err) })
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func (r *running) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, fmt.Sprint(err))
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.reports, "\n")
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for i := 0; i < 12000; i++ {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after two minutes still not: %s", what)
}

func (r *running) becomes(t *testing.T, what, token string, want Cause) {
	t.Helper()
	eventually(t, what, func() bool {
		_, cause := Verify(r.Verifier, token, now)
		return cause == want
	})
}

func TestFetchRotates(t *testing.T) {
	s := testSigners(t)
	server := newKeyServer(t, set(s.jwk("ES256", `,"kid":"1"`)))
	r := run(t, server.URL, nil)
	first := s.sign(t, "ES256", `{"alg":"ES256","kid":"1"}`, claims(""))
	second := s.sign(t, "EdDSA", `{"alg":"EdDSA","kid":"2"}`, claims(""))
	third := s.sign(t, "RS256", `{"alg":"RS256","kid":"3"}`, claims(""))
	r.becomes(t, "the first key", first, Verified)
	server.set(http.StatusOK, set(s.jwk("ES256", `,"kid":"1"`), s.jwk("EdDSA", `,"kid":"2"`)))
	r.becomes(t, "the second key, which nothing but an unknown kid asked for", second, Verified)
	expect(t, "the first key too", r.Verifier, first, Verified)
	fetched := server.count()
	// Unknown keys are no way to have the server flooded.
	server.set(http.StatusOK, set(s.jwk("RS256", `,"kid":"3"`)))
	meanwhile(func() { expect(t, "a third key within the minute", r.Verifier, third, UnknownKey) })
	expect(t, "the second key still", r.Verifier, second, Verified)
	if n := server.count() - fetched; n != 0 {
		t.Errorf("%d fetches within the minute", n)
	}
}

// meanwhile does something for two seconds, which is time enough for a fetch that should not be made.
func meanwhile(do func()) {
	for i := 0; i < 100; i++ {
		do()
		time.Sleep(20 * time.Millisecond)
	}
}

// TestForgeriesCauseNoFetch: whose kid is known is by that key or by nobody.
func TestForgeriesCauseNoFetch(t *testing.T) {
	s := testSigners(t)
	server := newKeyServer(t, set(s.jwk("HS256", ""), s.jwk("ES256", `,"kid":"1"`)))
	r := run(t, server.URL, nil)
	token := s.sign(t, "ES256", `{"alg":"ES256","kid":"1"}`, claims(""))
	r.becomes(t, "the key", token, Verified)
	meanwhile(func() { expect(t, "forged", r.Verifier, token[:len(token)-4]+"AAAA", Signature) })
	if n := server.count(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestFetchRotatesKeysWithoutNames: where keys have no kid, a token that none has made tells that there are new ones.
func TestFetchRotatesKeysWithoutNames(t *testing.T) {
	s := testSigners(t)
	for _, header := range []string{`{"alg":"ES256"}`, `{"alg":"ES256","kid":"any"}`} {
		server := newKeyServer(t, set(s.jwk("EdDSA", "")))
		r := run(t, server.URL, nil)
		r.becomes(t, "the first key", s.token(t, "EdDSA", claims("")), Verified)
		server.set(http.StatusOK, set(s.jwk("ES256", "")))
		r.becomes(t, "the second key for "+header, s.sign(t, "ES256", header, claims("")), Verified)
	}
}

func TestFetchKeepsKeys(t *testing.T) {
	s := testSigners(t)
	server := newKeyServer(t, `{"keys":[]}`)
	server.set(http.StatusInternalServerError, "")
	r := run(t, server.URL, nil)
	token := s.sign(t, "ES256", `{"alg":"ES256","kid":"1"}`, claims(""))
	unknown := s.sign(t, "ES256", `{"alg":"ES256","kid":"2"}`, claims(""))
	r.becomes(t, "no keys", token, NoKeys)
	eventually(t, "a report of the status", func() bool { return strings.Contains(r.said(), "500 Internal Server Error") })
	server.set(http.StatusOK, set(s.jwk("ES256", `,"kid":"1"`)))
	r.becomes(t, "a key after the server has recovered", token, Verified)
	eventually(t, "a report that all is well", func() bool { return strings.HasSuffix(r.said(), "<nil>") })
	server.set(http.StatusOK, "<html>")
	expect(t, "an unknown key", r.Verifier, unknown, UnknownKey) // causes a fetch
	eventually(t, "a report of the nonsense", func() bool { return strings.Contains(r.said(), "neither a JWK set nor PEM") })
	expect(t, "the key stays", r.Verifier, token, Verified)
	server.Close()
	eventually(t, "a report that nobody is there", func() bool { return strings.Contains(r.said(), "refused") })
	expect(t, "the key stays", r.Verifier, token, Verified)
}

// TestWishesPutNothingOff: while the server is away it is tried every few seconds, unknown keys or not.
func TestWishesPutNothingOff(t *testing.T) {
	s := testSigners(t)
	server := newKeyServer(t, "")
	server.set(http.StatusInternalServerError, "")
	r := &running{Verifier: New(Settings{})}
	if err := r.SetSecret(strings.Repeat("s", 32)); err != nil {
		t.Fatal(err)
	}
	r.begin(t, server.URL)
	token := s.sign(t, "ES256", `{"alg":"ES256","kid":"1"}`, claims(""))
	for i := 1; i < 4; i++ { // each time there is a wish
		tries := i // Yaegi shares i between the rounds
		eventually(t, "another try", func() bool { return server.count() >= tries })
		expect(t, "while the server is away", r.Verifier, token, Algorithm)
	}
	server.set(http.StatusOK, set(s.jwk("ES256", `,"kid":"1"`)))
	r.becomes(t, "a key after the server has recovered", token, Verified)
}

func TestFetchRefuses(t *testing.T) {
	s := testSigners(t)
	good := set(s.jwk("ES256", ""))
	for _, c := range []struct {
		want   string
		answer http.HandlerFunc
	}{
		{"404 Not Found", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }},
		{"204 No Content", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"longer than 1 MiB", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", maxSet) + good))
		}},
		{"another scheme", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/", http.StatusFound)
		}},
		{"more than three times", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }},
		{"no key for signatures", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(set(s.jwk("HS256", "")))) }},
	} {
		c := c
		server := httptest.NewServer(c.answer)
		r := run(t, server.URL+"/keys?token=hush", nil)
		eventually(t, "a report of: "+c.want, func() bool { return strings.Contains(r.said(), c.want) })
		if strings.Contains(r.said(), "hush") {
			t.Errorf("the query is reported: %s", r.said())
		}
		expect(t, c.want, r.Verifier, s.token(t, "ES256", claims("")), NoKeys)
		server.Close()
	}
}

func TestFetchFollowsRedirects(t *testing.T) {
	s := testSigners(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/keys", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(set(s.jwk("ES256", ""))))
	}))
	defer server.Close()
	run(t, server.URL, nil).becomes(t, "verified", s.token(t, "ES256", claims("")), Verified)
}

// TestFetchIsRemembered: the next configuration has the keys before its first fetch.
func TestFetchIsRemembered(t *testing.T) {
	s := testSigners(t)
	server := newKeyServer(t, set(s.jwk("ES256", "")))
	m := &Memory{}
	token := s.token(t, "ES256", claims(""))
	run(t, server.URL, m).becomes(t, "verified", token, Verified)
	eventually(t, "remembered", func() bool { return m.keySet(server.URL) != nil })
	server.Close()
	next := New(Settings{Memory: m})
	if err := next.Fetch(server.URL); err != nil {
		t.Fatal(err)
	}
	expect(t, "at once", next, token, Verified)
	elsewhere := New(Settings{Memory: m})
	if err := elsewhere.Fetch(server.URL + "/other"); err != nil {
		t.Fatal(err)
	}
	expect(t, "another URL", elsewhere, token, NoKeys)
}

func TestFreshness(t *testing.T) {
	for cache, want := range map[string]time.Duration{
		"":                                   10 * time.Minute,
		"public":                             10 * time.Minute,
		"max-age=300":                        5 * time.Minute,
		"public, MAX-AGE=\"300\", x=1":       5 * time.Minute,
		"max-age=1":                          time.Minute,
		"max-age=0":                          time.Minute,
		"max-age=86400":                      24 * time.Hour,
		"max-age=99999999":                   24 * time.Hour,
		"max-age=-1":                         10 * time.Minute,
		"max-age=9223372036854775807":        24 * time.Hour,
		"max-age=99999999999999999999999":    10 * time.Minute,
		"max-age=x":                          10 * time.Minute,
		"no-store":                           time.Minute,
		"max-age=3600, no-cache":             time.Minute,
		"no-cache=\"set-cookie\", max-age=1": time.Minute,
	} {
		if got := freshness(http.Header{"Cache-Control": {cache}}); got != want {
			t.Errorf("%q: %v, want %v", cache, got, want)
		}
	}
}

func TestFetchURLs(t *testing.T) {
	for _, url := range []string{"", "ftp://x/keys", "file:///etc/passwd", "https://", "//x/keys", "https://name:hush@x/keys", "https://%zz"} {
		err := New(Settings{}).Fetch(url)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error %v", url, err)
		}
	}
}
