package mirror

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/expr"
)

// seen is what a target got.
type seen struct {
	method, uri, host, body string
	length                  int64
	header, trailer         http.Header
}

// recorder starts a target that remembers what it gets.
func recorder(t *testing.T) (server *httptest.Server, got chan *seen) {
	t.Helper()
	got = make(chan *seen, 100)
	server = listen(t, func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		s := &seen{method: r.Method, uri: r.RequestURI, host: r.Host, body: string(content), length: r.ContentLength}
		s.header = r.Header
		s.trailer = r.Trailer
		if err == nil {
			got <- s
		}
	})
	return server, got
}

func posting(s Settings) Settings {
	s.Methods = []string{http.MethodGet, http.MethodPost}
	return s
}

func TestCopyIsTheRequest(t *testing.T) {
	target, got := recorder(t)
	stable, original := recorder(t)
	settings := posting(everything(t, target))
	settings.Drop = []string{"x-secret"}
	m := New(shop, []Settings{settings}, started(t))
	front := gateway(t, m, stable)
	do(t, http.MethodPost, front.URL+"/cart?a=b%20c", "hello", "X-Request-Id", "r1", "Authorization", "Bearer x", "Cookie", "a=b",
		"X-Secret", "s", "X_secret", "s", "Connection", "X-Own, close", "X-Own", "o", "Te", "trailers", "Traceparent", "00-1-2-01")
	first := <-original
	second := <-got
	if second.method != first.method || second.uri != first.uri || second.body != "hello" || second.length != 5 || second.host != first.host {
		t.Errorf("the copy is %v, the request was %v", second, first)
	}
	for name, want := range map[string]string{"X-Request-Id": "r1", "Authorization": "Bearer x", "Cookie": "a=b", "X-Secret": "",
		"X_secret": "", "X-Own": "", "Te": "", "Traceparent": "00-1-2-01", Header: "shop"} {
		if value := second.header.Get(name); value != want {
			t.Errorf("the copy has %s: %q, want %q", name, value, want)
		}
	}
	if first.header.Get(Header) != "" || first.header.Get("X-Secret") != "s" {
		t.Errorf("the request itself changed: %v", first.header)
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1})
}

func TestNoCredentialsLeaveTheRollout(t *testing.T) {
	target, got := recorder(t)
	settings := everything(t, target)
	settings.Name = "http://shadow"
	settings.Outside = true
	m := New(shop, []Settings{settings}, started(t))
	front := gateway(t, m, listen(t, echo()))
	do(t, http.MethodGet, front.URL, "", "Authorization", "Bearer x", "Cookie", "a=b", "Accept", "text/html")
	copied := <-got
	if copied.header.Get("Authorization") != "" || copied.header.Get("Cookie") != "" || copied.header.Get("Accept") != "text/html" {
		t.Errorf("the copy has %v", copied.header)
	}
}

// TestLoopIsCut: a target that leads back to the gateway gets one copy, and no copy of it.
func TestLoopIsCut(t *testing.T) {
	var front *httptest.Server
	stable, _ := recorder(t)
	settings := Settings{Name: "canary", Share: 100_000_000, Timeout: time.Minute, Concurrency: 8}
	settings.Send = func(r *http.Request) (*http.Response, error) { return toward(t, front)(r) }
	m := New(shop, []Settings{settings}, started(t))
	front = gateway(t, m, stable)
	do(t, http.MethodGet, front.URL, "")
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1, "loop": 1})
}

// TestForgedMark: a client can take his own requests out of the mirror, but not pass for a copy.
func TestForgedMark(t *testing.T) {
	target, _ := recorder(t)
	stable, got := recorder(t)
	m := New(shop, []Settings{everything(t, target)}, started(t))
	front := gateway(t, m, stable)
	for _, name := range []string{Header, "x_rollout_mirror", "X-Rollout_Mirror", "X_Rollout-Mirror"} {
		do(t, http.MethodGet, front.URL, "", name, "shop")
		for key := range (<-got).header {
			if folded(key) == folded(Header) {
				t.Errorf("%s reaches the upstream as %s", name, key)
			}
		}
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"loop": 1, "sent": 3, "answered": 3})
}

func TestBodies(t *testing.T) {
	for _, test := range []struct {
		name    string
		size    int
		chunked bool
		copied  bool
	}{
		{"empty", 0, false, true},
		{"empty, length unknown", 0, true, true},
		{"one byte", 1, false, true},
		{"the longest", 1000, false, true},
		{"the longest, length unknown", 1000, true, true},
		{"too long", 1001, false, false},
		{"too long, length unknown", 1001, true, false},
		{"far too long, length unknown", 300_000, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, got := recorder(t)
			stable, original := recorder(t)
			settings := posting(everything(t, target))
			settings.MaxBody = 1000
			m := New(shop, []Settings{settings}, started(t))
			front := gateway(t, m, stable)
			content := strings.Repeat("y", test.size)
			r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, front.URL, strings.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if test.chunked {
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(content)))
				r.ContentLength = -1
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if s := <-original; s.body != content {
				t.Errorf("%s: the variant got %d bytes", test.name, len(s.body))
			}
			if !test.copied {
				counted(t, m.mirrors[0].ledger, map[string]int64{"body_too_long": 1})
				return
			}
			if s := <-got; s.body != content {
				t.Errorf("%s: the target got %d bytes", test.name, len(s.body))
			}
			counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1})
		})
	}
}

func TestTrailers(t *testing.T) {
	target, got := recorder(t)
	m := New(shop, []Settings{posting(everything(t, target))}, started(t))
	front := gateway(t, m, listen(t, echo()))
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, front.URL, io.MultiReader(strings.NewReader("hello")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Sum": {"5d41"}, "X_rollout_mirror": {"x"}}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	s := <-got
	if s.body != "hello" || s.trailer.Get("X-Sum") != "5d41" || len(s.trailer) != 1 {
		t.Errorf("the copy has the body %q and the trailers %v", s.body, s.trailer)
	}
}

// TestBodyIsNotReadAhead: what the variant does not read nobody reads, and a body that it does not read is not copied.
func TestBodyIsNotReadAhead(t *testing.T) {
	target, _ := recorder(t)
	m := New(shop, []Settings{posting(everything(t, target))}, started(t))
	source := strings.NewReader("hello world")
	r := httptest.NewRequest(http.MethodPost, "/", source)
	c := Begin(m, &expr.Input{Request: r}, "stable")
	if source.Len() != len("hello world") {
		t.Error("the body was read before the variant read it")
	}
	if n, err := io.ReadFull(r.Body, make([]byte, 5)); n != 5 || err != nil || source.Len() != len(" world") {
		t.Errorf("read %d, %v; left are %d", n, err, source.Len())
	}
	c.End(true)
	if rest, err := io.ReadAll(r.Body); string(rest) != " world" || err != nil {
		t.Errorf("the rest is %q, %v", rest, err)
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"body_incomplete": 1})
}

// TestClientAborts: half a body is not copied, and what the variant sees is what it would see without a mirror.
func TestClientAborts(t *testing.T) {
	target, _ := recorder(t)
	broken := make(chan error, 1)
	stable := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		broken <- err
	})
	m := New(shop, []Settings{posting(everything(t, target))}, started(t))
	front := gateway(t, m, stable)
	connection, err := net.Dial("tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nhello"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the body is on its way in", func() bool { return m.mirrors[0].ledger.uploads.Load() == 1 })
	connection.Close()
	if err := <-broken; err == nil {
		t.Error("the variant got a whole body")
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"body_incomplete": 1})
}

// TestClientLeavesCopyAlone: a client that goes away ends his request, and not its copy.
func TestClientLeavesCopyAlone(t *testing.T) {
	arrived, release := make(chan bool, 2), make(chan bool)
	target := listen(t, func(_ http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-release
	})
	gone := make(chan bool, 1)
	stable := listen(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-r.Context().Done()
		gone <- true
	})
	m := New(shop, []Settings{everything(t, target)}, started(t))
	front := gateway(t, m, stable)
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, front.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			response.Body.Close()
		}
		close(done)
	}()
	<-arrived // the request, and its copy
	<-arrived
	cancel()
	<-done
	<-gone
	close(release)
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1})
}

func TestUpgradesAreNotCopied(t *testing.T) {
	target, _ := recorder(t)
	stable := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString(line)
		_ = rw.Flush()
		connection.Close()
	})
	m := New(shop, []Settings{everything(t, target)}, started(t))
	front := gateway(t, m, stable)
	connection, err := net.Dial("tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the answer is %v, %v", response, err)
	}
	response.Body.Close()
	if _, err := io.WriteString(connection, "ping\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); line != "ping\n" {
		t.Errorf("the connection carries %q, %v", line, err)
	}
	connection.Close()
	counted(t, m.mirrors[0].ledger, map[string]int64{"upgrade": 1})
}

// TestHTTP2: a request of which neither the length nor the protocol is that of HTTP/1.1 is copied with its trailers.
func TestHTTP2(t *testing.T) {
	target, got := recorder(t)
	m := New(shop, []Settings{posting(everything(t, target))}, started(t))
	front := httptest.NewUnstartedServer(mirrored(t, m, listen(t, echo())))
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(func() { front.Close() })
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, front.URL+"/cart", io.MultiReader(strings.NewReader("hello")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Sum": {"5d41"}}
	response, err := front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	if response.ProtoMajor != 2 || string(content) != "xxxxx" || err != nil {
		t.Errorf("the answer is %s, %q, %v", response.Proto, content, err)
	}
	if s := <-got; s.uri != "/cart" || s.body != "hello" || s.trailer.Get("X-Sum") != "5d41" {
		t.Errorf("the copy is %v", s)
	}
	counted(t, m.mirrors[0].ledger, map[string]int64{"sent": 1, "answered": 1})
}
