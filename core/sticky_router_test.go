package core

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// routedShop is a rollout with a router: its engine, what it answers, and how often it was asked.
func routedShop(t *testing.T, config Config) (*Engine, *string, *int) {
	t.Helper()
	answer := new(string)
	asked := new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		_, _ = io.WriteString(w, *answer)
	}))
	t.Cleanup(func() { server.Close() })
	config.Router = Router{URL: server.URL, Timeout: "20s"}
	return compile(t, config, nil, Host{}), answer, asked
}

func TestRouter(t *testing.T) {
	config := stickyShop()
	config.Sticky = Sticky{}
	e, answer, asked := routedShop(t, config)
	b := &browserAt{engine: e, now: noon}
	*answer = `{"variant": "canary", "ttl": 60}`
	b.expect(t, "asked", "canary by router", "X-User: "+high)
	b.expect(t, "remembered", "canary by assigned", "X-User: "+high)
	b.expect(t, "a rule comes first", "canary by rule", "X-User: another", "X-Version: v2")
	b.expect(t, "nobody to ask about", "stable by base")
	if *asked != 1 {
		t.Errorf("asked %d times", *asked)
	}
	b.now = noon.Add(time.Minute)
	*answer = `{"variant": "stable", "ttl": 0}`
	b.expect(t, "asked again", "stable by router", "X-User: "+high)
	b.expect(t, "and again, because it is not to be remembered", "stable by router", "X-User: "+high)
	*answer = `nonsense`
	b.expect(t, "the split stands in", "canary by split", "X-User: "+low)
	*answer = `{"variant": "stable", "ttl": 60}`
	b.expect(t, "and is not remembered", "stable by router", "X-User: "+low)
	if *asked != 5 || e.live.Routed().Answered.Load() != 4 || e.live.Routed().Invalid.Load() != 1 {
		t.Errorf("asked %d times, %d answers", *asked, e.live.Routed().Answered.Load())
	}
	beginEpoch(e, false, noon)
	*answer = `{"variant": "canary", "ttl": 60}`
	b.expect(t, "another epoch", "canary by router", "X-User: "+low)
}

func TestRouterAndCookie(t *testing.T) {
	config := stickyShop()
	config.Key = nil
	e, answer, asked := routedShop(t, config)
	b := &browserAt{engine: e, now: noon}
	*answer = `nonsense`
	first := b.asks() // by the split, with an id and nothing else
	if !strings.HasSuffix(first, " by split*") {
		t.Fatalf("the split does not stand in: %s", first)
	}
	for i := 0; i < 3; i++ {
		b.expect(t, "while the router is away", strings.TrimSuffix(first, "*"))
	}
	*answer = `{"variant": "canary", "ttl": 60}`
	b.expect(t, "the router is back", "canary by router*")
	questions := *asked
	b.expect(t, "remembered in the cookie", "canary by assigned")
	b.now = noon.Add(time.Minute)
	b.expect(t, "asked again", "canary by router*")
	if *asked != questions+1 {
		t.Errorf("%d questions more", *asked-questions)
	}
}

// TestRouterAfterAVariant: an answer that names a variant which the next configuration has not is none there.
func TestRouterAfterAVariant(t *testing.T) {
	config := stickyShop()
	config.Sticky.Capacity = 10
	config.Variants = append(config.Variants, Variant{Name: "purple"})
	e, answer, asked := routedShop(t, config)
	*answer = `{"variant": "purple", "ttl": 3600}`
	b := &browserAt{engine: e, now: noon}
	b.expect(t, "asked", "purple by router*", "X-User: "+high)
	config.Variants = config.Variants[:2]
	config.Router = Router{URL: e.sticky.router.URL, Timeout: "20s"}
	b.engine = compile(t, config, e.live, Host{})
	*answer = `{"variant": "canary", "ttl": 3600}`
	b.expect(t, "asked again", "canary by router*", "X-User: "+high)
	b.expect(t, "remembered", "canary by assigned", "X-User: "+high)
	if *asked != 2 {
		t.Errorf("asked %d times", *asked)
	}
}
