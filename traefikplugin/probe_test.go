package traefikplugin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

// checked answers checks with a status of the test's choice, and all else with its name.
type checked struct {
	url    string
	status atomic.Int64
	checks atomic.Int64
	host   atomic.Value // string
}

func newChecked(t *testing.T, name string) *checked {
	t.Helper()
	c := &checked{}
	c.status.Store(200)
	answer := answering(name)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			answer(w, r)
			return
		}
		c.checks.Add(1)
		c.host.Store(r.Host + "?" + r.URL.RawQuery)
		w.WriteHeader(int(c.status.Load()))
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func TestActiveChecks(t *testing.T) {
	canary := newChecked(t, "canary")
	front := behind(t, backend(t, "stable").URL, canary.url, func(c *core.Config) {
		c.Variants[1].Proxy.HealthCheck = core.HealthCheck{Path: "/healthz?deep=1", Interval: "20ms", Hostname: "canary.internal"}
		c.Proxy.HealthCheck.Timeout = "5s"
		c.Proxy.HealthCheck.Path = "/"
	})
	served := func(want string) func() bool {
		return func() bool {
			_, body := ask(t, "GET", front.URL, "", "X-Version: v2")
			return body == want+" GET "
		}
	}
	eventually(t, "the canary is checked", func() bool { return canary.checks.Load() > 1 })
	if got := canary.host.Load(); got != "canary.internal?deep=1" {
		t.Errorf("checked %q", got)
	}
	if !served("canary")() {
		t.Error("the canary does not serve, and is well")
	}
	canary.status.Store(500)
	eventually(t, "the base serves", served("stable"))
	canary.status.Store(302)
	eventually(t, "the canary serves again", served("canary"))
}

func TestCheckedOnceForAll(t *testing.T) {
	shared, other := newChecked(t, "shared"), newChecked(t, "other")
	config := checkout(t)
	config.Upstreams = []any{shared.url + " version=v1", other.url + " version=v2"}
	config.Variants[0].Where = map[string]any{"version": "v1"}
	config.Proxy.HealthCheck = core.HealthCheck{Path: "/healthz", Interval: "1h", Status: "200"}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last *proxyMode
	for i := 0; i < 3; i++ {
		handler, err := New(ctx, http.NotFoundHandler(), &config, "checkout@file")
		if err != nil {
			t.Fatal(err)
		}
		last = handler.(*proxyMode)
	}
	eventually(t, "both addresses are checked", func() bool { return shared.checks.Load()+other.checks.Load() == 2 })
	if shared.checks.Load() != 1 {
		t.Error("one was checked twice, and the other not at all")
	}
	known := last.proxy.upstreams.memory
	known.mu.Lock()
	defer known.mu.Unlock()
	if len(last.proxy.upstreams.probes) != 2 {
		t.Errorf("%d probes", len(last.proxy.upstreams.probes))
	}
}

func TestProblemsOfHealthSettings(t *testing.T) {
	config := checkout(t)
	config.Upstreams = []any{"http://a version=v1", "http://b"}
	config.Proxy.Retries = "-1"
	config.Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Failures: "many", Statuses: []string{"503", "404"}, Backoff: "0s", Rest: map[string]any{"failure": "1"}}
	config.Proxy.HealthCheck = core.HealthCheck{Interval: "1ms", Timeout: "0s", Status: "1000", Rest: map[string]any{"url": "/"}}
	config.Variants[0].Proxy.PassiveHealthCheck = core.PassiveHealthCheck{Backoff: "1m", MaxBackoff: "30s"}
	config.Variants[1].Proxy.HealthCheck = core.HealthCheck{Path: "http://c/healthz"}
	_, err := New(context.Background(), http.NotFoundHandler(), &config, "checkout@file")
	if err == nil {
		t.Fatal("the configuration was taken")
	}
	for _, want := range []string{
		`proxy.retries: "-1" is not a whole number from 0`,
		`proxy.passiveHealthCheck.failure: unknown key (did you mean "failures"?)`,
		`proxy.passiveHealthCheck.failures: "many" is not a whole number from 0`,
		`proxy.passiveHealthCheck.statuses[1]: "404" is not a status from 500 to 599: others are what clients bring about`,
		`proxy.passiveHealthCheck.backoff: "0s" is no back-off: to leave no upstream alone, set failures to 0`,
		`proxy.healthCheck.url: unknown key; there are path, interval, timeout, status, hostname`,
		`proxy.healthCheck.path: what should be asked for? There are no checks without a path such as /healthz`,
		`proxy.healthCheck.interval: "1ms" is too often: 10ms at least`,
		`proxy.healthCheck.timeout: "0s" leaves no time to answer`,
		`proxy.healthCheck.status: "1000" is not a status such as 200`,
		`variants[0].proxy.passiveHealthCheck.maxBackoff: "30s" is less than the back-off of 1m0s`,
		`variants[1].proxy.healthCheck.path: "http://c/healthz" is not a path such as /healthz`,
		`variants[1].proxy.healthCheck: upstreams that variants share are checked once for all: move it to the rollout's proxy`,
	} {
		if !strings.Contains(err.Error(), want+"\n") && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("no line %s in\n%v", want, err)
		}
	}
}
