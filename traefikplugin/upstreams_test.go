package traefikplugin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
)

// share sends requests and returns how many each backend answered.
func share(t *testing.T, front string, requests int, headers ...string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for i := 0; i < requests; i++ {
		response, body := ask(t, "GET", front, "", headers...)
		name, _, _ := strings.Cut(body, " ")
		if response.StatusCode != 200 {
			name = fmt.Sprint(response.StatusCode)
		}
		seen[name]++
	}
	return seen
}

// pooled is a rollout whose variants share upstreams: v1 and v2 in two zones.
func pooled(t *testing.T, change func(c *core.Config)) string {
	t.Helper()
	return behind(t, "", "", func(c *core.Config) {
		c.Upstreams = []any{
			backend(t, "a1").URL + " weight=3 version=v1 zone=a",
			map[string]any{"address": backend(t, "b1").URL, "metadata": map[string]any{"version": "v1", "zone": "b"}},
			backend(t, "a2").URL + " version=v2 zone=a",
		}
		c.Variants[0].Upstreams = nil
		c.Variants[1].Upstreams = nil
		c.Variants[0].Where = map[string]any{"version": "v1"}
		c.Variants[1].Where = map[string]any{"version": "v2"}
		if change != nil {
			change(c)
		}
	}).URL
}

func expectShare(t *testing.T, what string, got map[string]int, want map[string]int) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestSharedUpstreams(t *testing.T) {
	front := pooled(t, nil)
	expectShare(t, "the baseline", share(t, front, 8), map[string]int{"a1": 6, "b1": 2})
	expectShare(t, "the canary", share(t, front, 4, "X-Version: v2"), map[string]int{"a2": 4})
}

func TestSubsets(t *testing.T) {
	for otherwise, want := range map[string]map[string]int{
		"": {"b1": 4}, "baseline": {"b1": 4}, "any": {"a2": 4}, "none": {"503": 4},
	} {
		otherwise, want := otherwise, want
		front := pooled(t, func(c *core.Config) {
			c.Name += "-" + otherwise
			c.Subsets = []core.Subset{{Key: "zone", Value: `header("X-Zone")`, Otherwise: otherwise}}
		})
		expectShare(t, otherwise+": a zone that the canary has not", share(t, front, 4, "X-Version: v2", "X-Zone: b"), want)
		expectShare(t, otherwise+": a zone that it has", share(t, front, 2, "X-Version: v2", "X-Zone: a"), map[string]int{"a2": 2})
		expectShare(t, otherwise+": the baseline's", share(t, front, 2, "X-Zone: a"), map[string]int{"a1": 2})
		if got := counts(t.Name() + "-" + otherwise)["canary"].Failure; got != 0 {
			t.Errorf("%s: %d failures, and nobody failed", otherwise, got)
		}
	}
}

func TestNobodyServes(t *testing.T) {
	var log bytes.Buffer
	config := checkout(t)
	config.Upstreams = []any{backend(t, "a").URL + " zone=a", backend(t, "b").URL + " zone=b"}
	config.Subsets = []core.Subset{{Key: "zone", Value: `header("X-Zone")`, Otherwise: "none"}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	handler, err := NewFor(ctx, http.NotFoundHandler(), &config, "checkout@file", core.Host{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	const want = `no upstream of variant "stable" has the zone that the request asks for`
	for i := 0; i < 3; i++ {
		w := httptest.NewRecorder()
		r := get("X-Zone: c")
		handler.ServeHTTP(w, r)
		if w.Code != 503 || w.Body.String() != "Service Unavailable: "+want || r.Header.Get("X-Rollout-Variant") != "stable" {
			t.Errorf("%d %q %v", w.Code, w.Body.String(), r.Header)
		}
	}
	if text := log.String(); strings.Count(text, "nobody serves a request") != 1 || !strings.Contains(strings.ReplaceAll(text, `\"`, `"`), want) {
		t.Errorf("logged %s", text)
	}
	if got := counts(config.Name)["stable"]; got.Failure != 0 || got.Neutral != 3 {
		t.Errorf("counted %v", got)
	}
}

func TestWeightZeroDrains(t *testing.T) {
	front := behind(t, backend(t, "stable").URL, backend(t, "canary").URL, func(c *core.Config) {
		c.Variants[0].Upstreams = append(c.Variants[0].Upstreams, backend(t, "drained").URL+" weight=0")
		c.Variants[1].Upstreams = []any{backend(t, "drained").URL + " weight=0"}
	})
	expectShare(t, "one of two", share(t, front.URL, 6), map[string]int{"stable": 6})
	expectShare(t, "all of a variant", share(t, front.URL, 6, "X-Version: v2"), map[string]int{"stable": 6})
	front.Close() // which waits until the requests are over
	if got := counts(t.Name())["canary"]; got.Failure != 0 {
		t.Errorf("whoever is drained has not failed: %v", got)
	}
}

func TestHealthSurvivesAReload(t *testing.T) {
	alive := backend(t, "alive").URL
	config := checkout(t)
	config.Variants[1].Upstreams = []any{closed}
	config.Variants[1].Proxy.PassiveHealthCheck.Backoff = "1h"
	health := func(upstreams ...any) *balance.Health {
		config.Variants[0].Upstreams = upstreams
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		handler, err := New(ctx, http.NotFoundHandler(), &config, "checkout@file")
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range handler.(*proxyMode).proxy.upstreams.current.Load().(*standing).targets {
			if target.url.String() == closed {
				return target.health
			}
		}
		t.Fatal("the upstream is gone")
		return nil
	}
	first := health(alive)
	if got := health(alive + " weight=2"); got != first {
		t.Error("an upstream that stays has another health")
	}
	if got := health(alive, closed); got != first {
		t.Error("variants that share an upstream do not share its health")
	}
	config.Variants[1].Upstreams = []any{alive + "/other"}
	config.Variants[0].Upstreams = []any{alive}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := New(ctx, http.NotFoundHandler(), &config, "checkout@file"); err != nil {
		t.Fatal(err)
	}
	cancel()
	config.Variants[1].Upstreams = []any{closed}
	if got := health(alive); got == first {
		t.Error("what is known of an upstream that is gone is remembered")
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"http://10.0.0.1:8080/shop":          "",
		"srv+https://_https._tcp.shop/path":  "",
		"10.0.0.1:8080":                      `"10.0.0.1:8080" is not an address such as http://10.0.0.1:8080 or srv+http://_http._tcp.shop`,
		"h2c://10.0.0.1":                     `"h2c://10.0.0.1": unknown scheme "h2c": there are http, https, srv+http and srv+https`,
		"srv+tcp://shop":                     `"srv+tcp://shop": unknown scheme "srv+tcp": there are http, https, srv+http and srv+https`,
		"srv+http://_http._tcp.shop:80":      `"srv+http://_http._tcp.shop:80": SRV records name the port: leave it out`,
		"http://admin:very-secret@10.0.0.1/": `the address has a user, which would not be sent: set the header Authorization by a middleware`,
	} {
		got := ""
		if err := checkAddress(text); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestServices(t *testing.T) {
	if s := newService("https://shop", ""); s != nil {
		t.Errorf("an address became %+v", *s)
	}
	s := newService("srv+https://_https._tcp.shop/path?x=1", "127.0.0.1:53")
	if s.name != "_https._tcp.shop" || s.before != "https://" || s.path != "/path?x=1" || s.resolver != "127.0.0.1:53" {
		t.Errorf("%+v", *s)
	}
	if other := newService("srv+https://_https._tcp.shop/path?x=1", ""); other.key == s.key {
		t.Error("two name servers, and one key")
	}
}

func TestWeightsOfRecords(t *testing.T) {
	for _, test := range []struct {
		found  []int
		weight int
		want   []int
	}{
		{nil, 3, []int{}},
		{[]int{1}, 3, []int{3}},
		{[]int{33, 33, 33}, 1, []int{1, 1, 1}},
		{[]int{10, 20, 40}, 9, []int{9, 18, 36}},
		{[]int{1, 100}, 1, []int{1, 100}},
		{[]int{10, 20}, 0, []int{0, 0}},
		{[]int{1, 65535}, 65535, []int{1, 65535}},
		{[]int{30000, 60000, 7}, 50000, []int{32767, 65535, 7}},
	} {
		var found []address
		for _, w := range test.found {
			found = append(found, address{weight: w})
		}
		got := []int{}
		for _, a := range weighted(found, test.weight) {
			got = append(got, a.weight)
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v times %d is %v, want %v", test.found, test.weight, got, test.want)
		}
	}
}

// TestNewNamesAreWaitedFor has a name server that never answers.
func TestNewNamesAreWaitedFor(t *testing.T) {
	config := checkout(t)
	config.Variants[0].Upstreams = []any{backend(t, "stable").URL}
	config.Variants[1].Upstreams = []any{"srv+http://_http._tcp.one.test", "srv+http://_http._tcp.two.test", "srv+http://_http._tcp.three.test"}
	config.Proxy.Resolver = silence(t)
	begin := time.Now()
	start(t, config, nil)
	if took := time.Since(begin); took > 5*resolveTimeout/2 {
		t.Errorf("three names took %v", took)
	}
	begin = time.Now()
	start(t, config, nil) // for another router
	if took := time.Since(begin); took > resolveTimeout {
		t.Errorf("the same names took %v more", took)
	}
	rollouts.mu.Lock()
	defer rollouts.mu.Unlock()
	if rollouts.byName[config.Name] == nil {
		t.Error("there is no rollout")
	}
}
