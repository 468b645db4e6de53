package traefikplugin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// checkout is a rollout in service mode, under a name of its own.
func checkout(t *testing.T) core.Config {
	t.Helper()
	return core.Config{
		Name:     strings.ReplaceAll(t.Name(), "/", "-"),
		Variants: []core.Variant{{Name: "stable"}, {Name: "canary", Weight: "10%"}},
		Rules:    []core.Rule{{Name: "qa", Use: "canary", When: `header("X-Version") == "v2"`}},
		Key:      []string{`cookie("uid")`},
		Announce: core.Announce{Response: "X-Variant"},
	}
}

// start returns the middleware of a configuration in front of next. It ends with the test.
func start(t *testing.T, config core.Config, next http.HandlerFunc) http.Handler {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	handler, err := New(ctx, next, &config, "checkout@file")
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func get(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/cart", nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func counts(name string) map[string]core.VariantCounts {
	rollouts.mu.Lock()
	defer rollouts.mu.Unlock()
	return rollouts.byName[name].live.Counts()
}

func TestServiceModeAnnouncesAndObserves(t *testing.T) {
	config := checkout(t)
	status := 0
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", strings.Join(r.Header["X-Rollout-Variant"], ",")+fmt.Sprint(len(r.Header["X_rollout_variant"])))
		if status != 0 {
			w.WriteHeader(status)
		}
		_, _ = w.Write([]byte("answer"))
	})
	for _, test := range []struct {
		header string
		status int
		want   string
	}{
		{"X-Version: v2", 0, "canary 200"},
		{"X-Version: v2", 503, "canary 503"},
		{"X-Rollout-Variant: canary", 404, "stable 404"},
		{"X_Rollout_Variant: canary", 0, "stable 200"},
	} {
		status = test.status
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, get(test.header, "Cookie: uid=bob"))
		variant, _, _ := strings.Cut(test.want, " ")
		if got := fmt.Sprint(w.Header().Get("X-Variant"), " ", w.Code); got != test.want || w.Header().Get("X-Saw") != variant+"0" || w.Body.String() != "answer" {
			t.Errorf("%s: %s, the upstream saw %q, body %q", test.header, got, w.Header().Get("X-Saw"), w.Body.String())
		}
	}
	got := counts(config.Name)
	if got["canary"].Success != 1 || got["canary"].Failure != 1 || got["stable"].Success != 2 {
		t.Errorf("counted %v", got)
	}
}

// brokenOff is an upload whose client goes away.
type brokenOff struct{}

func (brokenOff) Read(p []byte) (int, error) { return copy(p, "half"), io.ErrUnexpectedEOF }

// TestBrokenUploadsInServiceMode: what Traefik answers in the place of a service that the client did not let finish says
// nothing about the variant.
func TestBrokenUploadsInServiceMode(t *testing.T) {
	for _, mirrors := range [][]core.Mirror{nil, {{Target: "http://127.0.0.1:1", Methods: []string{"POST"}}}} {
		config := checkout(t)
		config.Name += fmt.Sprint(len(mirrors))
		config.Mirrors = mirrors
		handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.WriteHeader(http.StatusInternalServerError)
		})
		for _, body := range []io.Reader{brokenOff{}, strings.NewReader("whole")} {
			r := httptest.NewRequest(http.MethodPost, "http://shop.example/cart", body)
			r.Header.Set("X-Version", "v2")
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		if c := counts(config.Name)["canary"]; c.Neutral != 1 || c.Failure != 1 {
			t.Errorf("with %d mirrors: %+v", len(mirrors), c)
		}
	}
}

func TestServiceModeWithoutObservation(t *testing.T) {
	config := checkout(t)
	config.Observe = "off"
	config.Announce.Response = ""
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
		if _, native := w.(*httptest.ResponseRecorder); !native {
			t.Error("the writer is wrapped")
		}
	})
	handler.ServeHTTP(httptest.NewRecorder(), get("X-Version: v2"))
	if got := counts(config.Name); len(got) != 0 {
		t.Errorf("counted %v", got)
	}
}

func TestPartsAreFlushed(t *testing.T) {
	for name, test := range map[string]struct {
		length string
		writes []string
		want   string // of the header and each part, whether it was flushed: + or -
	}{
		"of a stream":              {"", []string{"ab", "cd"}, "+++"},
		"header of a stream":       {"", nil, "+"},
		"of a declared length":     {"6", []string{"ab", "cd", "ef"}, "-++-"},
		"of a length not reached":  {"6", []string{"ab", "cd"}, "-++"},
		"of a length exceeded":     {"4", []string{"ab", "cde", "f"}, "-+++"},
		"of a length in words":     {"two", []string{"ab"}, "-+"},
		"of a length out of range": {"99999999999999999999", []string{"ab"}, "-+"},
		"all at once":              {"4", []string{"abcd"}, "--"},
		"nothing":                  {"0", []string{""}, "--"},
		"header alone":             {"4", nil, "-"},
	} {
		test := test
		config := checkout(t)
		config.Name += strings.ReplaceAll(name, " ", "-")
		client := httptest.NewRecorder()
		flushed := ""
		look := func() {
			if client.Flushed {
				flushed += "+"
			} else {
				flushed += "-"
			}
			client.Flushed = false
		}
		handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
			if test.length != "" {
				w.Header().Set("Content-Length", test.length)
			}
			w.WriteHeader(200)
			look()
			for _, part := range test.writes {
				_, _ = w.Write([]byte(part))
				look()
			}
		})
		handler.ServeHTTP(client, get())
		if flushed != test.want || client.Body.String() != strings.Join(test.writes, "") {
			t.Errorf("%s: flushed %s until %q, want %s", name, flushed, client.Body.String(), test.want)
		}
	}
}

func TestTakenOverConnectionCountsWhenItIs(t *testing.T) {
	config := checkout(t)
	front := httptest.NewServer(start(t, config, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		got := counts(config.Name)["stable"]
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nX-Variant: %s\r\nX-Counted: %d %d\r\n\r\n",
			w.Header().Get("X-Variant"), got.Success, got.Failure)
	}))
	defer front.Close()
	response, err := http.Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("X-Variant") != "stable" || response.Header.Get("X-Counted") != "1 0" {
		t.Errorf("%v", response.Header)
	}
}

func TestOutcomesInServiceMode(t *testing.T) {
	config := checkout(t)
	var answer http.HandlerFunc
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	serve := func(r *http.Request) {
		defer func() { _ = recover() }()
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		gone   bool
		want   core.VariantCounts
	}{
		{"empty", func(w http.ResponseWriter, r *http.Request) {}, false, core.VariantCounts{Success: 1}},
		{"hints first", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, false, core.VariantCounts{Failure: 1}},
		{"aborted", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); panic(http.ErrAbortHandler) }, false, core.VariantCounts{Failure: 1}},
		{"aborted by the client", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, true, core.VariantCounts{Neutral: 1}},
		{"client gone", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(499) }, false, core.VariantCounts{Neutral: 1}},
		{"a stream that breaks", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}, false, core.VariantCounts{Success: 1}},
	} {
		before := counts(config.Name)["stable"]
		answer = test.answer
		r := get()
		if test.gone {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			r = r.WithContext(ctx)
		}
		serve(r)
		after := counts(config.Name)["stable"]
		if after.Success-before.Success != test.want.Success || after.Failure-before.Failure != test.want.Failure || after.Neutral-before.Neutral != test.want.Neutral {
			t.Errorf("%s: %+v after %+v", test.name, after, before)
		}
	}
}

func TestProblemsAreReportedAtOnce(t *testing.T) {
	config := core.Config{
		Name:           "broken",
		Variants:       []core.Variant{{Name: "stable", Upstreams: []any{"ftp://a", "http://"}}, {Name: "canary"}},
		Rules:          []core.Rule{{Name: "qa", Use: "canry", When: `heder("X") == "1"`}},
		TrustedProxies: []string{"10.0.0.0/33"},
		ClientHeader:   "Real IP",
		Proxy:          core.Proxy{DialTimeout: "5", HTTP2: "yes", Resolver: "here", MaxIdle: -1, Rest: map[string]any{"dailTimeout": "1s"}},
		Rest:           map[string]any{"fallback_methods": "GET", "rule": map[string]any{"qa": "x"}},
	}
	config.Variants[0].Proxy.TLS = core.TLS{CA: "file:/nowhere/ca.pem", Certificate: "env:GRAYLING_NO_SUCH_VARIABLE"}
	_, err := New(context.Background(), http.NotFoundHandler(), &config, "checkout@file")
	if err == nil {
		t.Fatal("the configuration was taken")
	}
	for _, want := range []string{
		`rollout "broken":`,
		`fallback_methods: unknown key (did you mean "fallbackMethods"?)`,
		`rule: unknown key (did you mean "rules"?); the elements of lists have indexes, as in rules[0], and in a label every dot begins a new level`,
		`rules[0].use: unknown variant "canry" (did you mean "canary"?)`,
		`rules[0].when: column 1: unknown function "heder" (did you mean "header"?)`,
		`trustedProxies[0]: "10.0.0.0/33" is neither an IP address nor a CIDR such as 10.0.0.0/8`,
		`clientHeader: "Real IP" is not a header name`,
		`variants[0].upstreams[0]: "ftp://a": unknown scheme "ftp": there are http, https, srv+http and srv+https`,
		`variants[0].upstreams[1]: "http://" is not an address such as http://10.0.0.1:8080 or srv+http://_http._tcp.shop`,
		`variants[0].proxy.tls.ca: reading a file: open /nowhere/ca.pem: no such file or directory`,
		`variants[0].proxy.tls.certificate: a certificate and its key belong together: name both or none`,
		`proxy.dialTimeout: "5" is not a duration such as 500ms or 1m30s`,
		`proxy.http2: "yes" is neither true nor false`,
		`proxy.resolver: "here" is not the address of a name server such as 127.0.0.1:8600`,
		`proxy.maxIdle: -1 is negative: how many unused connections may be kept?`,
		`variants[1].upstreams: variant "canary" has no upstreams, but others have: give it some, or leave them out everywhere and lead to services by child routers`,
		`proxy.dailTimeout: unknown key (did you mean "dialTimeout"?)`,
	} {
		if !strings.Contains(err.Error(), want+"\n") && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("no line %s in\n%v", want, err)
		}
	}
}

func TestClientHeaderNeedsProxies(t *testing.T) {
	config := checkout(t)
	config.ClientHeader = "Forwarded"
	_, err := New(context.Background(), http.NotFoundHandler(), &config, "checkout@file")
	if err == nil || !strings.Contains(err.Error(), "clientHeader: nobody is trusted to write it: name the trustedProxies") {
		t.Errorf("%v", err)
	}
}

func TestProxySettingsNeedUpstreams(t *testing.T) {
	config := checkout(t)
	config.Proxy.DialTimeout = "1s"
	config.Variants[1].Proxy.PassHost = "false"
	_, err := New(context.Background(), http.NotFoundHandler(), &config, "checkout@file")
	if err == nil || strings.Count(err.Error(), "there is nothing to proxy to: give the variants upstreams") != 2 {
		t.Errorf("got %v", err)
	}
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	config := checkout(t)
	config.Variants[0].Upstreams = []any{"https://a"}
	config.Variants[1].Upstreams = []any{"https://b"}
	config.Proxy.TLS = core.TLS{Certificate: "not a certificate", Key: "very secret"}
	_, err := New(context.Background(), http.NotFoundHandler(), &config, "checkout@file")
	if err == nil || strings.Contains(err.Error(), "very secret") || !strings.Contains(err.Error(), "proxy.tls.certificate: certificate and key do not make a pair") {
		t.Errorf("got %v", err)
	}
}

func TestRegistry(t *testing.T) {
	g := &registry{byName: map[string]*remembered{}}
	host := core.Host{Log: logger("test")}
	config := checkout(t)
	join := func(config core.Config) (*rollout, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		r, err := g.join(ctx, config, host)
		if err != nil {
			t.Fatal(err)
		}
		return r, cancel
	}
	first, endFirst := join(config)
	second, endSecond := join(config)
	if first != second {
		t.Error("two routers with one middleware have two rollouts")
	}
	other := checkout(t)
	other.Variants[1].Weight = "20%"
	if _, err := g.join(context.Background(), other, host); err == nil || !strings.Contains(err.Error(), "configured differently") {
		t.Errorf("a different rollout of the same name: %v", err)
	}
	live := g.byName[config.Name].live

	// A reload ends the old middlewares before it makes new ones.
	endFirst()
	endSecond()
	third, endThird := join(config)
	if third != first {
		t.Error("a reload with an equal configuration makes another rollout")
	}
	endThird()
	fourth, endFourth := join(other)
	if fourth == first || g.byName[config.Name].live != live {
		t.Error("a reload with a new configuration must make a new rollout with the same live state")
	}
	endFourth()

	g.forget(time.Now())
	g.forget(time.Now().Add(keep - time.Second))
	if g.byName[config.Name] == nil {
		t.Fatal("forgotten too early")
	}
	g.forget(time.Now().Add(keep + time.Second))
	if len(g.byName) != 0 {
		t.Error("not forgotten")
	}
}
