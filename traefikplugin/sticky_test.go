package traefikplugin

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

const testSecret = "a secret of thirty-two bytes, or more"

// sticky is a rollout of both modes that remembers in cookies.
func sticky(name, secret string) core.Config {
	return core.Config{
		Name:     name,
		Variants: []core.Variant{{Name: "stable"}, {Name: "canary", Weight: "100%"}},
		Key:      []string{`header("X-User")`},
		Sticky:   core.Sticky{Mode: "cookie", Secret: []string{secret}},
	}
}

// TestCookiesOfServiceMode: a client gets his cookie once, beside those of the service, whether outcomes are watched or
// not.
func TestCookiesOfServiceMode(t *testing.T) {
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Add("Set-Cookie", "session=1")
		_, _ = w.Write([]byte(r.Header.Get("X-Rollout-Variant")))
	})
	for _, observe := range []string{"", "off"} {
		config := sticky("service-cookies"+observe, testSecret)
		config.Observe = observe
		handler, err := New(context.Background(), service, &config, "sticky@file")
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-User", "somebody")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if len(cookies) != 2 || cookies[0].Name != "session" || cookies[1].Name != "rollout_"+config.Name || w.Header().Get("Cache-Control") != "private, max-age=60" {
			t.Fatalf("observe %q: %v", observe, w.Header())
		}
		r.AddCookie(cookies[1])
		w = httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if len(w.Result().Cookies()) != 1 || w.Header().Get("Cache-Control") != "max-age=60" || w.Body.String() != "canary" {
			t.Errorf("observe %q: the next response is %q with %v", observe, w.Body.String(), w.Header())
		}
	}
}

// TestCookiesOfProxyMode: the same, and once too when the base answers in the place of the variant.
func TestCookiesOfProxyMode(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "session=1")
		_, _ = w.Write([]byte(r.Header.Get("X-Rollout-Variant")))
	}))
	defer upstream.Close()
	for name, canary := range map[string]string{"proxy-cookies": upstream.URL, "fallback-cookies": closed} {
		config := sticky(name, testSecret)
		config.Variants[0].Upstreams = []any{upstream.URL}
		config.Variants[1].Upstreams = []any{canary}
		handler, err := New(context.Background(), http.NotFoundHandler(), &config, "sticky@file")
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-User", "somebody")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		want := "canary"
		if canary == closed {
			want = "stable"
		}
		if len(cookies) != 2 || cookies[1].Name != "rollout_"+name || w.Body.String() != want {
			t.Errorf("%s: %d %q with %v", name, w.Code, w.Body.String(), w.Header())
		}
	}
}

func TestSecretsOfCookies(t *testing.T) {
	var log bytes.Buffer
	host := core.Host{Log: slog.New(slog.NewTextHandler(&log, nil))}
	config := sticky("literal-secret", testSecret)
	if _, err := NewFor(context.Background(), http.NotFoundHandler(), &config, "sticky@file", host); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "a secret of cookies stands in the configuration") != 1 || strings.Contains(got, testSecret) {
		t.Errorf("logged:\n%s", got)
	}
	config = sticky("no-secret", testSecret)
	config.Sticky.Secret = nil
	if _, err := New(context.Background(), http.NotFoundHandler(), &config, "sticky@file"); err == nil || !strings.Contains(err.Error(), "sticky.secret: a cookie needs a secret") {
		t.Errorf("without a secret: %v", err)
	}
}
