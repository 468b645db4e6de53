package integration

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/coder/websocket"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// everything is a mirror of everything that looks at all that it can.
var everything = gateway.Mirror{To: "canary", Methods: []string{"GET", "HEAD", "POST"}, Compare: []string{"status", "header X-Backend", "body"}, MaxBody: "1MiB"}

// intactJourneys hold what clients see to what they would see without a mirror.
var intactJourneys = []journey{
	{
		name:    "over every version of HTTP",
		rollout: mirrored("versions", everything),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Keep()
			sent := 0
			for proto, client := range map[string]*http.Client{"HTTP/1.1": p.g.Client(), "HTTP/2.0": p.g.HTTP2(t), "HTTP/3.0": p.g.HTTP3(t)} {
				url := p.g.SecureURL(p.path())
				if proto == "HTTP/1.1" {
					url = p.g.URL(p.path())
				}
				for _, length := range []int64{0, 1, 100_000, mebibyte} {
					for _, declared := range []int64{length, -1} {
						req := request(t, http.MethodPost, url, io.MultiReader(backend.Body(length)))
						req.Header = http.Header{}
						req.ContentLength = declared
						if length == 0 {
							req.Body = http.NoBody
						}
						echo, got := ask(t, client, req)
						want, _, _ := backend.Sum(backend.Body(length))
						if got != proto || echo.SHA256 != want || echo.Variant != "versions-stable" {
							t.Errorf("%d bytes: %s got %d over %s, want %s", length, echo.Variant, echo.Length, got, proto)
						}
						sent++
					}
				}
			}
			sums := map[string]int{}
			for _, e := range p.arrived(t, p.backend("canary"), sent) {
				sums[e.SHA256]++
			}
			for _, length := range []int64{0, 1, 100_000, mebibyte} {
				if sum, _, _ := backend.Sum(backend.Body(length)); sums[sum] != 6 {
					t.Errorf("%d copies have all of %d bytes, want 6", sums[sum], length)
				}
			}
		},
	},
	{
		name:    "trailers in both directions",
		rollout: mirrored("trailed", everything),
		run: func(t *testing.T, p *pilot) {
			stable := p.backend("stable")
			stable.Answer(stable.As("/trailers"))
			resp := send(t, p.g.Client(), p.request(t, "GET", nil))
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
				t.Errorf("body %q, %v", body, err)
			}
			expectFields(t, "client's trailer", resp.Trailer, []string{"X-Checksum: 42", "X-Backend-Trailer: trailed-stable"})
			p.sent(t, "canary", 1)
			stable.Answer(nil)
			p.backend("canary").Keep()
			req := p.request(t, "POST", []byte("body"))
			req.ContentLength = -1
			req.Trailer = http.Header{"X-Request-Sum": {"7"}}
			echo, _ := ask(t, p.g.Client(), req)
			if p.g.Traits.Trailers {
				expectFields(t, "backend's trailer", echo.Trailer, []string{"X-Request-Sum: 7"})
			}
			expectFields(t, "copy's trailer", p.arrived(t, p.backend("canary"), 1)[0].Trailer, []string{"X-Request-Sum: 7"})
		},
	},
	{
		name:    "a client that goes away",
		rollout: mirrored("gone", everything),
		run: func(t *testing.T, p *pilot) {
			stable, canary := p.backend("stable"), p.backend("canary")
			ctx, cancel := context.WithCancel(t.Context())
			stable.Answer(stable.As("/hang"))
			failed := make(chan error)
			go func() {
				_, err := p.g.Client().Do(p.request(t, "GET", nil).WithContext(ctx))
				failed <- err
			}()
			receive(t, stable.Hanging, "the request at the backend")
			cancel()
			if receive(t, failed, "the request's end") == nil {
				t.Error("the request got an answer")
			}
			receive(t, stable.Abandoned, "the backend's notice that the client is gone")
			if r := p.counted(t, "canary", "uncompared", 1); r.Counts["answered"] != 1 || r.Compared != 0 {
				t.Errorf("the copy: %+v", r)
			}
			// One that goes away in the middle of its body.
			arrived := make(chan struct{}, 1)
			stable.Answer(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadFull(r.Body, make([]byte, 4))
				arrived <- struct{}{}
				_, _ = io.Copy(io.Discard, r.Body)
			})
			body, client := io.Pipe()
			half := request(t, "POST", p.g.URL(p.path()), body)
			half.Header.Del("X-Version")
			go func() {
				_, err := p.g.Client().Do(half)
				failed <- err
			}()
			go func() { _, _ = client.Write([]byte("half")) }()
			receive(t, arrived, "half of a body")
			_ = client.CloseWithError(io.ErrUnexpectedEOF)
			if receive(t, failed, "the upload's end") == nil {
				t.Error("the upload got an answer")
			}
			stable.Answer(nil)
			p.counted(t, "canary", "body_incomplete", 1)
			if n := canary.Count("POST"); n != 0 {
				t.Errorf("%d halves of bodies were copied", n)
			}
			if got := p.get(t, ""); got != "stable" {
				t.Errorf("%s answers", got)
			}
		},
	},
	{
		name:    "streams",
		rollout: mirrored("streams", everything),
		run: func(t *testing.T, p *pilot) {
			p.backend("canary").Answer(backend.Drip)
			stable := p.backend("stable")
			stable.Answer(stable.As("/events"))
			resp := send(t, p.g.Client(), p.request(t, "GET", nil))
			lines := bufio.NewReader(resp.Body)
			for i := range 5 {
				event := "data: " + strconv.Itoa(i) + "\n"
				deliver(t, stable.Events, strconv.Itoa(i), "the baseline to send an event")
				for _, want := range []string{event, "\n"} {
					if got, err := lines.ReadString('\n'); err != nil || got != want {
						t.Fatalf("line %q, %v, want %q", got, err, want)
					}
				}
			}
			close(stable.Events)
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("then %q, %v", rest, err)
			}
		},
	},
	{
		name:    "websockets, which are not copied",
		rollout: mirrored("sockets", everything),
		run: func(t *testing.T, p *pilot) {
			stable := p.backend("stable")
			stable.Answer(stable.As("/socket"))
			c, resp, err := websocket.Dial(t.Context(), p.g.URL(p.path()), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			expectBackend(t, resp, "sockets-stable")
			for i := range 3 {
				sent := []byte("message " + strconv.Itoa(i))
				if err := c.Write(t.Context(), websocket.MessageText, sent); err != nil {
					t.Fatal(err)
				}
				if _, got, err := c.Read(t.Context()); err != nil || !bytes.Equal(got, sent) {
					t.Fatalf("the echo of %q is %q, %v", sent, got, err)
				}
			}
			p.counted(t, "canary", "upgrade", 1)
			if n := p.backend("canary").Count(""); n != 0 {
				t.Errorf("the canary got %d requests", n)
			}
		},
	},
	{
		name:    "a baseline that fails, and one that breaks off",
		rollout: mirrored("broken", everything),
		run: func(t *testing.T, p *pilot) {
			stable := p.backend("stable")
			stable.Answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			if a := p.g.Do(t, gateway.Request{Method: "POST", Target: p.path()}); a.Status != http.StatusBadGateway {
				t.Errorf("status %d", a.Status)
			}
			stable.Answer(stable.As("/cut"))
			if a, err := p.g.Try(gateway.Request{Target: p.path()}); err == nil {
				t.Errorf("half an answer passes for one: %+v", a)
			}
			// The gateway's own errors are nothing to compare with.
			if r := p.counted(t, "canary", "uncompared", 2); r.Compared != 0 {
				t.Errorf("compared: %+v", r)
			}
		},
	},
}
