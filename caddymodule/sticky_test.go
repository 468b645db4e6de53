package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const testSecret = "a secret of thirty-two bytes, or more"

// stickyRollout is a rollout that gives all clients to the canary and remembers it in a cookie.
func stickyRollout(t *testing.T, stable, canary script, settings string) (*Handler, string) {
	t.Helper()
	name, fields := scriptedVariants(t, stable, canary, "100")
	h, err := load(t, fmt.Sprintf(`{%s,
		"sticky": {"mode": "cookie", "secret": [%q]}
		%s
	}`, fields, testSecret, settings))
	if err != nil {
		t.Fatal(err)
	}
	return h, name
}

// TestCookieIsSetOnce: on the response that the client gets, whoever writes it.
func TestCookieIsSetOnce(t *testing.T) {
	cacheable := func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Add("Set-Cookie", "session=1")
		_, err := w.Write([]byte("hello"))
		return err
	}
	for _, test := range []struct {
		name, settings string
		canary         script
		private        string // Cache-Control
		cookies        int
	}{
		{"a response", "", cacheable, "private, max-age=60", 2},
		{"unobserved", `, "observe": "off"`, cacheable, "private, max-age=60", 2},
		{"after a fallback", "", broken, "private, max-age=60", 2},
		{"after a fallback from a variant that set one itself", "", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Add("Set-Cookie", "canary=1")
			return errBroken
		}, "private, max-age=60", 2},
		{"an error", `, "fallback_methods": ["none"]`, broken, "private", 1},
		{"an empty response", "", func(http.ResponseWriter, *http.Request) error { return nil }, "private", 1},
		{"a response without a body", "", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}, "private", 1},
		{"after an informational response", "", func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			return cacheable(w, r)
		}, "private, max-age=60", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, name := stickyRollout(t, cacheable, test.canary, test.settings)
			server, done := serveReal(t, h)
			response, err := http.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			<-done
			cookies := response.Cookies()
			if len(cookies) != test.cookies || cookies[len(cookies)-1].Name != "rollout_"+name || response.Header.Get("Cache-Control") != test.private {
				t.Fatalf("status %d, %v", response.StatusCode, response.Header)
			}
			again, _ := http.NewRequest(http.MethodGet, server.URL, nil)
			again.AddCookie(cookies[len(cookies)-1])
			response, err = http.DefaultClient.Do(again)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			<-done
			if strings.Contains(fmt.Sprint(response.Header), "rollout_") || strings.Contains(response.Header.Get("Cache-Control"), "private") {
				t.Errorf("the next response: %v", response.Header)
			}
			if got := reasons(liveOf(t, name)); !strings.Contains(got, "assigned 1") {
				t.Errorf("decided by %s", got)
			}
		})
	}
}

// inCaddy uses a rollout without a secret of its own in a Caddy with a storage in a directory, which has ended afterwards.
func inCaddy(t *testing.T, dir string, use func(*Handler)) {
	t.Helper()
	storage, _ := json.Marshal(map[string]string{"module": "file_system", "root": dir})
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}, StorageRaw: storage})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(ctx)
	defer cancel()
	module, err := ctx.LoadModuleByID("http.handlers.rollout", fmt.Appendf(nil,
		`{"name": %q, "variants": [{"name": "stable"}, {"name": "canary", "weight": "100"}], "sticky": {"mode": "cookie"}}`, t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	use(module.(*Handler))
}

// cookieFrom returns the cookie that a rollout gives to a client.
func cookieFrom(t *testing.T, h *Handler, cookie *http.Cookie) *http.Cookie {
	t.Helper()
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	if cookie != nil {
		r.AddCookie(cookie)
	}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	if err := h.ServeHTTP(w, prepare(r, w), next); err != nil {
		t.Fatal(err)
	}
	if set := w.Result().Cookies(); len(set) > 0 {
		return set[0]
	}
	return nil
}

// TestSecretInStorage: without a secret Caddy makes one, which all that share the storage take, and nobody else. A damaged
// one is replaced.
func TestSecretInStorage(t *testing.T) {
	shared := t.TempDir()
	var cookie *http.Cookie
	inCaddy(t, shared, func(h *Handler) { cookie = cookieFrom(t, h, nil) })
	inCaddy(t, shared, func(h *Handler) {
		if cookie == nil || cookieFrom(t, h, cookie) != nil {
			t.Error("another Caddy with the storage does not take the cookie")
		}
	})
	inCaddy(t, t.TempDir(), func(h *Handler) {
		if cookieFrom(t, h, cookie) == nil {
			t.Error("a Caddy with another storage takes the cookie")
		}
	})

	file := filepath.Join(shared, filepath.FromSlash(stateKey), ".cookie_secret")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Fatalf("the secret's file: %v, %v", info, err)
	}
	if err := os.WriteFile(file, []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	inCaddy(t, shared, func(h *Handler) {
		if cookieFrom(t, h, cookie) == nil {
			t.Error("a damaged secret is still used")
		}
	})
}

// TestSecretsOfTheEnvironment: placeholders are resolved, and what shows the configuration shows them unresolved.
func TestSecretsOfTheEnvironment(t *testing.T) {
	t.Setenv("GRAYLING_COOKIE_SECRET", testSecret)
	name := unique("sticky")
	_, err := load(t, fmt.Sprintf(`{"name": %q, "variants": [{"name": "stable"}], "key": ["ip()"],
		"sticky": {"mode": "cookie", "secret": ["{env.GRAYLING_COOKIE_SECRET}"]}, "router": {"url": "http://{env.GRAYLING_COOKIE_SECRET}.example/"}}`, name))
	if err == nil || !strings.Contains(err.Error(), "router.url: it is not an address") || strings.Contains(err.Error(), testSecret) {
		t.Errorf("an address with blanks: %v", err)
	}
	h, err := load(t, fmt.Sprintf(`{"name": %q, "variants": [{"name": "stable"}], "sticky": {"mode": "cookie", "secret": ["{env.GRAYLING_COOKIE_SECRET}"]}}`, name))
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := json.Marshal(h); err != nil || strings.Contains(string(shown), testSecret) || !strings.Contains(string(shown), "{env.GRAYLING_COOKIE_SECRET}") {
		t.Errorf("the configuration shows %s", shown)
	}
	if cookieFrom(t, h, nil) == nil {
		t.Error("no cookie is set")
	}
	if _, err := load(t, fmt.Sprintf(`{"name": %q, "variants": [{"name": "stable"}], "sticky": {"mode": "cookie", "secret": ["{env.GRAYLING_NO_SUCH}"]}}`, name+"x")); err == nil ||
		!strings.Contains(err.Error(), "sticky.secret[0]: the environment variable {env.GRAYLING_NO_SUCH} is empty") {
		t.Errorf("without the variable: %v", err)
	}
}
