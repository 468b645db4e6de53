package integration

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

var reloadScenarios = []scenario{
	{
		name: "a weight change moves exactly the difference",
		site: site(split("12.5%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			everyone := users("checkout", 0, slots, 2000)
			last := land(t, g, everyone, asUser)
			expectFirst(t, last, slots/8)
			for _, step := range []struct {
				share    string
				from, to int // the slots that move
			}{
				{"37.5%", slots / 8, slots * 3 / 8},
				{"100%", slots * 3 / 8, slots},
				{"12.5%", slots / 8, slots},
				{"0%", 0, slots / 8},
			} {
				g.Reload(t, site(split(step.share)))
				now := land(t, g, everyone, asUser)
				moved := 0
				for _, key := range everyone {
					s := slot("checkout", key)
					if want := step.from <= s && s < step.to; (now[key] != last[key]) != want {
						t.Errorf("to %s: %s in slot %d went from %s to %s", step.share, key, s, last[key], now[key])
					}
					if now[key] != last[key] {
						moved++
					}
				}
				if moved == 0 {
					t.Errorf("to %s: nobody moved", step.share)
				}
				last = now
			}
		},
	},
	{
		name: "the same configuration again changes nothing",
		site: site(split("25%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			everyone := users("checkout", 0, slots, 500)
			before := land(t, g, everyone, asUser)
			expectFirst(t, before, slots/4)
			for range 3 {
				g.Reload(t, g.Site)
				if after := land(t, g, everyone, asUser); !maps.Equal(before, after) {
					t.Error("somebody moved")
				}
			}
		},
	},
	{
		name: "a bad configuration leaves the old one serving",
		site: site(halved()),
		run: func(t *testing.T, g *gateway.Gateway) {
			bad := checkout(rule("typo", `heder("X-Version") == "v2"`))
			for range 3 {
				err := g.Load(site(bad))
				if err == nil || !strings.Contains(err.Error(), `"heder"`) {
					t.Fatalf("error %v, want one that names heder", err)
				}
				exchange{Request: get(lowUser), want: "canary split"}.check(t, g)
				exchange{Request: get("X-Version: v2"), want: "canary rule:qa"}.check(t, g)
				exchange{Request: get("X-User: " + high), want: "stable split"}.check(t, g)
			}
			g.Reload(t, site(split("100%")))
			exchange{Request: get("X-User: " + high), want: "canary split"}.check(t, g)
		},
	},
	{
		name: "30 reloads under load lose no request",
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			const clients, reloads = 8, 30
			stop := make(chan struct{})
			var answered, repeated, failed atomic.Int64
			var wg sync.WaitGroup
			for i := range clients {
				wg.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						unanswered, err := anyRequest(g, i, n)
						for tries := 1; unanswered && tries < 3; tries++ {
							repeated.Add(1)
							unanswered, err = anyRequest(g, i, n)
						}
						if err != nil {
							failed.Add(1)
							t.Errorf("client %d, request %d: %v", i, n, err)
							return
						}
						answered.Add(1)
					}
				})
			}
			shares := []string{"25%", "50%", "75%"}
			for i := range reloads {
				at := answered.Load()
				if err := g.Load(site(split(shares[i%len(shares)]))); err != nil {
					t.Errorf("reload %d: %v", i, err)
				}
				// Each configuration serves some requests before the next.
				gateway.Eventually(t, "requests are answered", func() bool { return answered.Load() > at+50 || failed.Load() > 0 })
			}
			close(stop)
			wg.Wait()
			t.Logf("%d requests answered, %d failed, %d repeated", answered.Load(), failed.Load(), repeated.Load())
			if repeated.Load() > clients*reloads {
				t.Errorf("%d requests had to be repeated: more than one for each client and reload", repeated.Load())
			}
		},
	},
	{
		name: "a stream goes on through reloads",
		site: site(checkout(qa)),
		run: func(t *testing.T, g *gateway.Gateway) {
			stream := send(t, g.Client(), request(t, "GET", g.URL("/events"), nil))
			defer stream.Body.Close()
			expectBackend(t, stream, "canary")
			lines := bufio.NewReader(stream.Body)
			expectEvent(t, g, lines, "before")
			for _, r := range []gateway.Rollout{checkout(qa), checkout(), split("50%")} { // the same, without its rule, another
				g.Reload(t, site(r))
				expectEvent(t, g, lines, "after")
			}
		},
	},
	{
		name: "reloads leave nothing behind",
		site: weighed(site(split("50%"))),
		run: func(t *testing.T, g *gateway.Gateway) {
			const reloads = 40
			g.Get(t, "/", lowUser)
			before := g.Goroutines(t)
			for i := range reloads {
				g.Reload(t, site(split([]string{"25%", "50%"}[i%2])))
				g.Get(t, "/", lowUser)
			}
			// Gateways keep idle connections to backends for a while, whatever handler made them.
			g.Backend("stable").Stop(t)
			g.Backend("canary").Stop(t)
			gateway.Eventually(t, "the old configurations' goroutines have ended", func() bool {
				return g.Goroutines(t) < before+reloads/2
			})
		},
	},
}

// constant are users of checkout who keep their variant at every share from 25% to 75%.
var constant = append(users("checkout", 0, slots/4, 10), users("checkout", slots*3/4, slots, 10)...)

// anyRequest is a client's n-th request: half of the clients keep their connection, half make a new one.
// It says whether the connection was closed before a byte of the answer. net/http does that to a
// connection whose request arrives just when its server shuts down, with or without a rollout, and
// RFC 9110 lets clients repeat a GET then.
func anyRequest(g *gateway.Gateway, client, n int) (unanswered bool, err error) {
	key, want := constant[n%len(constant)], "stable"
	if slot("checkout", key) < slots/4 {
		want = "canary"
	}
	var got string
	if client%2 == 0 {
		got, err = visit(g.Client(), g.URL("/"), key)
		var noResponse *url.Error
		unanswered = errors.As(err, &noResponse)
	} else {
		var a gateway.Answer
		a, err = g.Try(gateway.Request{Header: []string{"X-User: " + key}})
		if err == nil && a.Status != http.StatusOK {
			err = statusError(a.Status)
		}
		got, unanswered = a.Backend(), a.Status == 0
	}
	if err == nil && got != want {
		err = fmt.Errorf("%s is on %s, want %s", key, got, want)
	}
	return unanswered, err
}

// expectFirst holds the canary's users to be those in the first n slots.
func expectFirst(t *testing.T, landed map[string]string, n int) {
	t.Helper()
	for key, got := range landed {
		want := "stable"
		if slot("checkout", key) < n {
			want = "canary"
		}
		if got != want {
			t.Errorf("%s in slot %d is on %s, want %s", key, slot("checkout", key), got, want)
		}
	}
}
