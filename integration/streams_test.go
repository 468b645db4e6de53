package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"testing"

	"github.com/coder/websocket"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

const mebibyte = 1 << 20

// secure is the qa site over TLS too.
var secure = func() gateway.Site {
	s := site(checkout(qa))
	s.TLS = true
	return s
}()

var streamScenarios = []scenario{
	{
		name: "websocket",
		site: site(checkout(qa)),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			c, resp, err := websocket.Dial(t.Context(), g.URL("/socket"), &websocket.DialOptions{HTTPHeader: v2()})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			expectBackend(t, resp, "canary")
			for i := range 10 {
				sent := []byte("message " + strconv.Itoa(i))
				if err := c.Write(t.Context(), websocket.MessageText, sent); err != nil {
					t.Fatal(err)
				}
				if _, got, err := c.Read(t.Context()); err != nil || !bytes.Equal(got, sent) {
					t.Fatalf("the echo of %q is %q, %v", sent, got, err)
				}
			}
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("closing: %v", err)
			}
		},
	},
	{
		name: "server-sent events arrive one by one",
		site: secure,
		run: func(t *testing.T, g *gateway.Gateway) {
			expectEvents(t, g, g.Client(), g.URL("/events"))
			expectEvents(t, g, g.HTTP2(t), g.SecureURL("/events"))
			expectEvents(t, g, g.HTTP3(t), g.SecureURL("/events"))
		},
	},
	{
		name: "64 MiB down",
		site: site(checkout(qa)),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			resp := send(t, g.Client(), request(t, "GET", g.URL("/download/"+strconv.Itoa(64*mebibyte)), nil))
			expectBackend(t, resp, "canary")
			if resp.ContentLength != 64*mebibyte {
				t.Errorf("Content-Length %d", resp.ContentLength)
			}
			expectNoise(t, resp.Body, 64*mebibyte)
		},
	},
	{
		name: "64 MiB up",
		site: site(checkout(qa)),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			for _, length := range []int64{64 * mebibyte, -1} { // -1: chunked
				req := request(t, "POST", g.URL("/"), backend.Body(64*mebibyte))
				req.ContentLength = length
				echo, _ := ask(t, g.Client(), req)
				expectUpload(t, echo, 64*mebibyte)
			}
		},
	},
	{
		name: "HTTP/2",
		site: secure,
		run:  func(t *testing.T, g *gateway.Gateway) { expectProtocol(t, g, g.HTTP2(t), "HTTP/2.0") },
	},
	{
		name: "HTTP/3",
		site: secure,
		run:  func(t *testing.T, g *gateway.Gateway) { expectProtocol(t, g, g.HTTP3(t), "HTTP/3.0") },
	},
	{
		name: "early hints",
		site: site(checkout(qa)),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			var hints []string
			req := request(t, "GET", g.URL("/hints"), nil)
			req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					hints = append(hints, strconv.Itoa(code)+" "+h.Get("Link"))
					return nil
				},
			}))
			resp := send(t, g.Client(), req)
			expectBackend(t, resp, "canary")
			if len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
				t.Errorf("informational responses: %q", hints)
			}
		},
	},
	{
		name: "trailers in both directions",
		site: site(checkout(qa)),
		tidy: true,
		run: func(t *testing.T, g *gateway.Gateway) {
			resp := send(t, g.Client(), request(t, "GET", g.URL("/trailers"), nil))
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
				t.Errorf("body %q, %v", body, err)
			}
			expectFields(t, "client's trailer", resp.Trailer, []string{"X-Checksum: 42", "X-Backend-Trailer: canary"})

			if !g.Traits.Trailers {
				return
			}
			req := request(t, "POST", g.URL("/"), io.MultiReader(backend.Body(10))) // hides the length: chunked
			req.Trailer = http.Header{"X-Request-Sum": {"7"}}
			echo, _ := ask(t, g.Client(), req)
			expectFields(t, "backend's trailer", echo.Trailer, []string{"X-Request-Sum: 7"})
		},
	},
	{
		name: "a client that goes away",
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			canary := g.Backend("canary")
			for range 5 {
				ctx, cancel := context.WithCancel(t.Context())
				failed := make(chan error)
				req := request(t, "GET", g.URL("/hang"), nil).WithContext(ctx)
				go func() {
					_, err := g.Client().Do(req)
					failed <- err
				}()
				receive(t, canary.Hanging, "the request at the backend")
				cancel()
				if <-failed == nil {
					t.Error("the request got an answer")
				}
				receive(t, canary.Abandoned, "the backend's notice that the client is gone")
			}
			if got := g.Backend("stable").Count(""); got != 0 {
				t.Errorf("the stable backend got %d requests of a client that was gone", got)
			}
			exchange{Request: get("X-Version: v2"), want: "canary rule:qa"}.check(t, g)
		},
	},
}

func v2() http.Header { return http.Header{"X-Version": {"v2"}} }

// request is one for the canary.
func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = v2()
	return req
}

// send returns the response, whose body is closed at the test's end.
func send(t *testing.T, client *http.Client, req *http.Request) *http.Response {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// ask sends a request that a backend echoes, and returns the echo and the protocol of the answer.
func ask(t *testing.T, client *http.Client, req *http.Request) (echo backend.Echo, proto string) {
	t.Helper()
	resp := send(t, client, req)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&echo); err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return echo, resp.Proto
}

func expectBackend(t *testing.T, resp *http.Response, want string) {
	t.Helper()
	if got := resp.Header.Get("X-Backend"); got != want {
		t.Errorf("%s answered %s, want %s", got, resp.Status, want)
	}
}

func expectNoise(t *testing.T, body io.Reader, n int64) {
	t.Helper()
	got, length, err := backend.Sum(body)
	if err != nil {
		t.Error(err)
	}
	if want, _, _ := backend.Sum(backend.Body(n)); got != want {
		t.Errorf("%d bytes with SHA-256 %s, want %d with %s", length, got, n, want)
	}
}

func expectUpload(t *testing.T, echo backend.Echo, n int64) {
	t.Helper()
	if want, _, _ := backend.Sum(backend.Body(n)); echo.SHA256 != want || echo.Length != n || echo.Variant != "canary" {
		t.Errorf("%s got %d bytes with SHA-256 %s, want canary with %d and %s", echo.Variant, echo.Length, echo.SHA256, n, want)
	}
}

// expectProtocol makes the calls of an ordinary client over one protocol.
func expectProtocol(t *testing.T, g *gateway.Gateway, client *http.Client, proto string) {
	t.Helper()
	echo, got := ask(t, client, request(t, "GET", g.SecureURL("/"), nil))
	if echo.Variant != "canary" || got != proto {
		t.Errorf("%s over %s, want canary over %s", echo.Variant, got, proto)
	}
	plain := request(t, "GET", g.SecureURL("/"), nil)
	plain.Header.Del("X-Version")
	if echo, _ := ask(t, client, plain); echo.Variant != "stable" {
		t.Errorf("%s answered, want stable", echo.Variant)
	}
	echo, _ = ask(t, client, request(t, "POST", g.SecureURL("/"), backend.Body(mebibyte)))
	expectUpload(t, echo, mebibyte)
	noise := send(t, client, request(t, "GET", g.SecureURL("/download/"+strconv.Itoa(mebibyte)), nil))
	defer noise.Body.Close()
	expectNoise(t, noise.Body, mebibyte)
	trailed := send(t, client, request(t, "GET", g.SecureURL("/trailers"), nil))
	defer trailed.Body.Close()
	io.Copy(io.Discard, trailed.Body)
	expectFields(t, proto+" trailer", trailed.Trailer, []string{"X-Checksum: 42"})
}

// expectEvents opens a stream of the canary and lets it send five events.
func expectEvents(t *testing.T, g *gateway.Gateway, client *http.Client, url string) {
	t.Helper()
	resp := send(t, client, request(t, "GET", url, nil))
	defer resp.Body.Close()
	expectBackend(t, resp, "canary")
	lines := bufio.NewReader(resp.Body)
	for i := range 5 {
		expectEvent(t, g, lines, strconv.Itoa(i))
	}
}

// expectEvent has the canary send an event and reads it. Only then is the next one sent: a gateway that
// holds anything back never gets it.
func expectEvent(t *testing.T, g *gateway.Gateway, lines *bufio.Reader, event string) {
	t.Helper()
	deliver(t, g.Backend("canary").Events, event, "the canary to send an event")
	for _, want := range []string{"data: " + event + "\n", "\n"} {
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Fatalf("line %q, %v, want %q", got, err, want)
		}
	}
}
