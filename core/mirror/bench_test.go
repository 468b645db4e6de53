package mirror

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// BenchmarkBegin is what a mirror costs a request that it does not choose: by its method, by its condition and by its share.
func BenchmarkBegin(b *testing.B) {
	key, problems := expr.ParseKey([]string{`header("X-User")`}, expr.Host{})
	when, more := expr.ParseCondition(`header("X-Beta") == "1"`, expr.Host{})
	if key == nil || when == nil {
		b.Fatal(problems, more)
	}
	rollout := shop
	rollout.Key = key
	for _, c := range []struct {
		name     string
		method   string
		settings Settings
	}{
		{"method", http.MethodPost, Settings{Share: balance.Full}},
		{"condition", http.MethodGet, Settings{Share: balance.Full, When: when}},
		{"share", http.MethodGet, Settings{Share: 2000}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := New(rollout, []Settings{c.settings}, NewRunner(nil))
			r := httptest.NewRequest(c.method, "/", http.NoBody)
			r.Header.Set("X-User", "4711")
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				if Begin(m, &expr.Input{Request: r}, "stable") != nil {
					b.Fatal("chosen")
				}
			}
		})
	}
}

// BenchmarkCopy is what one copy takes in all, but for who sends it, and what of it a request waits for.
func BenchmarkCopy(b *testing.B) {
	sent := make(chan bool, 1)
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}
	settings := Settings{Name: "target", Share: balance.Full, Timeout: time.Minute, Concurrency: 1000}
	settings.Send = func(_ *http.Request) (*http.Response, error) {
		sent <- true
		return answer, nil
	}
	runner := NewRunner(nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go runner.Run(ctx, nil)
	for runner.begin() == nil {
		time.Sleep(time.Millisecond)
	}
	m := New(shop, []Settings{settings}, runner)
	for _, what := range []string{"in all", "until the request goes on"} {
		b.Run(what, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/items?page=2", http.NoBody)
			for _, header := range []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Cookie", "X-Request-Id", "Referer", "Dnt", "Origin", "Priority"} {
				r.Header.Set(header, "something")
			}
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				if Begin(m, &expr.Input{Request: r}, "stable") != nil {
					b.Fatal("compared")
				}
				if what != "in all" {
					b.StopTimer()
				}
				<-sent
				if what != "in all" {
					b.StartTimer()
				}
			}
		})
	}
}
