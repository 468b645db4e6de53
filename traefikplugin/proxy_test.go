package traefikplugin

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

// backend answers with its name and what it was asked.
func backend(t *testing.T, name string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(answering(name))
	t.Cleanup(server.Close)
	return server
}

func answering(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Path", r.URL.Path+"?"+r.URL.RawQuery)
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Saw", strings.Join(r.Header["X-Rollout-Variant"], ","))
		w.Header().Set("X-Forwarded", strings.Join(r.Header["X-Forwarded-For"], "|")+" "+strings.Join(r.Header["X-Forwarded-Proto"], "|"))
		_, _ = io.WriteString(w, name+" "+r.Method+" "+string(body))
	}
}

// closed is an address that refuses connections. That of a server that was closed may become another server's.
const closed = "http://127.0.0.1:1"

func behind(t *testing.T, stable, canary string, change func(c *core.Config)) *httptest.Server {
	t.Helper()
	config := checkout(t)
	config.Variants[0].Upstreams = []any{stable}
	config.Variants[1].Upstreams = []any{canary}
	if change != nil {
		change(&config)
	}
	front := httptest.NewServer(start(t, config, func(w http.ResponseWriter, r *http.Request) { t.Error("the next handler was called") }))
	t.Cleanup(front.Close)
	return front
}

// answer is a response without its body.
type answer struct {
	StatusCode int
	Header     http.Header
}

func ask(t *testing.T, method, url, body string, headers ...string) (answer, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{StatusCode: response.StatusCode, Header: response.Header}, string(content)
}

func TestProxyMode(t *testing.T) {
	front := behind(t, backend(t, "stable").URL+"/base", backend(t, "canary").URL, nil)
	response, body := ask(t, "POST", front.URL+"/a%2Fb?x=1;y&z", "hello", "Host: shop.example", "X-Rollout-Variant: canary",
		"Connection: X-Rollout-Variant", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
	h := response.Header
	if body != "stable POST hello" || h.Get("X-Variant") != "stable" || h.Get("X-Saw") != "stable" || h.Get("X-Host") != "shop.example" ||
		h.Get("X-Path") != "/base/a/b?x=1;y&z" || h.Get("X-Forwarded") != "192.0.2.1, 127.0.0.1 https" {
		t.Errorf("%q %v", body, h)
	}
	if _, body := ask(t, "GET", front.URL, "", "X-Version: v2"); body != "canary GET " {
		t.Errorf("canary: %q", body)
	}
	front.Close() // which waits until the requests are over
	if got := counts(t.Name()); got["stable"].Success != 1 || got["canary"].Success != 1 {
		t.Errorf("counted %v", got)
	}
}

func TestProxyModeFallsBack(t *testing.T) {
	front := behind(t, backend(t, "stable").URL, closed, func(c *core.Config) { c.FallbackMethods = []string{"GET", "PUT"} })
	response, body := ask(t, "GET", front.URL, "", "X-Version: v2")
	if response.StatusCode != 200 || body != "stable GET " || response.Header.Get("X-Saw") != "stable" || response.Header.Get("X-Variant") != "stable" {
		t.Errorf("GET: %d %q %v", response.StatusCode, body, response.Header)
	}
	if response, body := ask(t, "PUT", front.URL, "a body", "X-Version: v2"); response.StatusCode != 200 || body != "stable PUT a body" {
		t.Errorf("PUT: %d %q", response.StatusCode, body)
	}
	if response, body := ask(t, "POST", front.URL, "a body", "X-Version: v2"); response.StatusCode != 502 || body != "Bad Gateway" {
		t.Errorf("POST: %d %q", response.StatusCode, body)
	}
	front.Close() // which waits until the requests are over
	got := counts(t.Name())
	if got["canary"].Failure != 3 || got["stable"].Success+got["stable"].Failure != 0 {
		t.Errorf("the failures are the canary's, and the base did not earn what it served: %v", got)
	}
}

func TestProxyModeDeadBase(t *testing.T) {
	front := behind(t, closed, closed, nil)
	for _, header := range []string{"X-Version: v2", "X-Version: v1"} {
		if response, _ := ask(t, "GET", front.URL, "", header); response.StatusCode != 502 {
			t.Errorf("%s: status %d", header, response.StatusCode)
		}
	}
}

func TestProxyModeTakesUpstreamsInTurn(t *testing.T) {
	front := behind(t, backend(t, "one").URL, backend(t, "canary").URL, func(c *core.Config) {
		c.Variants[0].Upstreams = append(c.Variants[0].Upstreams, backend(t, "two").URL)
	})
	seen := map[string]int{}
	for i := 0; i < 10; i++ {
		_, body := ask(t, "GET", front.URL, "")
		seen[body]++
	}
	if seen["one GET "] != 5 || seen["two GET "] != 5 {
		t.Errorf("seen %v", seen)
	}
}

func TestProxyModeTLS(t *testing.T) {
	upstream := httptest.NewTLSServer(answering("secure"))
	defer upstream.Close()
	ca := t.TempDir() + "/ca.pem"
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: upstream.Certificate().Raw})
	if err := os.WriteFile(ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		tls  core.TLS
		want int
	}{
		{core.TLS{}, 502},
		{core.TLS{CA: "file:" + ca}, 200},
		{core.TLS{CA: string(certificate), ServerName: "example.com"}, 200},
		{core.TLS{CA: "file:" + ca, ServerName: "other.example"}, 502},
		{core.TLS{UnsafeSkipVerify: "true"}, 200},
	} {
		i, test := i, test
		front := behind(t, upstream.URL, upstream.URL, func(c *core.Config) {
			c.Name += fmt.Sprint("-", i)
			c.Proxy.TLS = test.tls
		})
		if response, _ := ask(t, "GET", front.URL, ""); response.StatusCode != test.want {
			t.Errorf("%+v: status %d, want %d", test.tls, response.StatusCode, test.want)
		}
	}
}

func TestProxyModePassesTrailers(t *testing.T) {
	got := make(chan http.Header, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Trailer
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "8")
	}))
	defer upstream.Close()
	front := behind(t, upstream.URL, upstream.URL, nil)
	address := strings.TrimPrefix(front.URL, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+address+"\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"+
		"4\r\nbody\r\n0\r\nX-Sum: 7\r\nX-Rollout-Variant: canary\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if trailer := <-got; trailer.Get("X-Sum") != "7" || len(trailer) != 1 {
		t.Errorf("the upstream's: %v", trailer)
	}
	if response.Trailer.Get("X-Sum") != "8" {
		t.Errorf("the client's: %v", response.Trailer)
	}
}

func TestProxyPassHost(t *testing.T) {
	upstream := backend(t, "stable")
	front := behind(t, upstream.URL, upstream.URL, func(c *core.Config) {
		c.Proxy.PassHost = "true"
		c.Variants[0].Proxy.PassHost = "false"
	})
	for header, want := range map[string]string{"X-Version: v1": strings.TrimPrefix(upstream.URL, "http://"), "X-Version: v2": "shop.example"} {
		response, _ := ask(t, "GET", front.URL, "", header, "Host: shop.example")
		if got := response.Header.Get("X-Host"); got != want {
			t.Errorf("%s: the upstream saw host %q, want %q", header, got, want)
		}
	}
}
