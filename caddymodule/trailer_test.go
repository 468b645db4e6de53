package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestTrailersCannotBeForged: whatever a client declares and sends, in whatever spelling, an upstream gets its other
// trailers only.
func TestTrailersCannotBeForged(t *testing.T) {
	const sent = "X-Rollout-Variant: forged\r\nx_rollout-VARIANT: forged\r\nX-Mine: forged\r\nX-Sum: 7\r\n"
	for _, test := range []struct{ declared, announce, want string }{
		{"Trailer: X-Sum\r\n", "", "map[X-Mine:[forged] X-Sum:[7]]"},
		{"Trailer: X-Rollout-Variant\r\n", "", "map[X-Mine:[forged] X-Sum:[7]]"},
		{"Trailer: X-Rollout-Variant, X-Sum\r\n", "", "map[X-Mine:[forged] X-Sum:[7]]"},
		{"", "", "map[]"},
		{"Trailer: X-Sum\r\n", `"announce": {"request": "x-MINE"}`, "map[X-Rollout-Variant:[forged] X-Sum:[7] X_rollout-Variant:[forged]]"},
		{"Trailer: X-Sum\r\n", `"announce": {"request": "off"}`, "map[X-Mine:[forged] X-Rollout-Variant:[forged] X-Sum:[7] X_rollout-Variant:[forged]]"},
	} {
		t.Run(test.declared+test.announce, func(t *testing.T) {
			got := ""
			h, _ := scriptedRollout(t, nil, func(w http.ResponseWriter, r *http.Request) error {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != "body" {
					t.Errorf("body %q: %v", body, err)
				}
				trailer := r.Trailer.Clone()
				if trailer == nil {
					trailer = http.Header{}
				}
				got = fmt.Sprint(map[string][]string(trailer))
				return hello(w, r)
			}, test.announce)
			server, done := serveReal(t, h)
			connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			_, err = io.WriteString(connection, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"+test.declared+"\r\n4\r\nbody\r\n0\r\n"+sent+"\r\n")
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			<-done
			if got != test.want {
				t.Errorf("the upstream's trailers: %s, want %s", got, test.want)
			}
		})
	}
}
