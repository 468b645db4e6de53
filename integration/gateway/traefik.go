package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TraefikService is Traefik with the plugin in service mode: child routers lead to Traefik's services.
type TraefikService struct {
	// Plugin is the directory of a local plugin to load instead of this checkout's, which it may build
	// upon; what it does may panic. Empty: this checkout's.
	Plugin string
}

// TraefikProxy is Traefik with the plugin in proxy mode: the plugin proxies itself.
type TraefikProxy struct {
	Plugin string // as in TraefikService
}

// Name is "traefik service mode".
func (TraefikService) Name() string { return "traefik service mode" }

// Name is "traefik proxy mode".
func (TraefikProxy) Name() string { return "traefik proxy mode" }

func (h TraefikService) launch(g *Gateway) instance { return launch(g, serviceMode, h.Plugin) }

func (h TraefikProxy) launch(g *Gateway) instance { return launch(g, proxyMode, h.Plugin) }

// Traits of Traefik: an interpreted plugin has no way to its access log, so that of a decision only the
// announced variant is seen. A router whose middleware is refused is gone, whatever served before. Traefik's
// own proxy leaves out a request's trailers.
func (TraefikService) Traits() Traits { return Traits{} }

// Traits are those of TraefikService, but for the plugin's own proxy.
func (TraefikProxy) Traits() Traits { return Traits{Trailers: true, Fallback: true} }

type traefik struct {
	g         *Gateway
	mode      string // the template of a site
	plugin    string // the module that Traefik loads
	own       bool   // it is this checkout's
	process   *process
	authority *Authority
	poll      http.Client
	loads     int
	site      Site // the last that was loaded
}

func launch(g *Gateway, mode, plugin string) instance {
	g.t.Helper()
	t := &traefik{g: g, mode: mode, authority: NewAuthority(g.t, g.Dir)}
	t.poll = http.Client{Timeout: Patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // of what is being replaced; clients of the test do verify
	}}
	g.t.Cleanup(t.poll.CloseIdleConnections)
	t.plugin = install(g.t, g.Dir, plugin)
	if err := os.WriteFile(t.file("traefik.yml"), t.static(), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := t.write(g.Site); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(t.file(tokenFile), []byte(controlToken), 0o600); err != nil {
		g.t.Fatal(err)
	}
	t.own = plugin == ""
	t.start()
	return t
}

func (t *traefik) start() {
	g := t.g
	g.t.Helper()
	cmd := TraefikCommand(g.t, "--configFile="+t.file("traefik.yml"))
	cmd.Env = append(cmd.Env, g.Site.environment()...)
	if g.Site.Weighed {
		cmd.Env = append(cmd.Env, "GOGC=100", "GOMEMLIMIT=off")
	}
	cmd.Dir = g.Dir
	t.process = run(g.t, cmd, traefikEntry)
	t.process.panics = !t.own
	if err := t.applied(0); err != nil {
		g.t.Fatalf("starting Traefik: %v\n%s", err, t.log())
	}
}

func (t *traefik) kill() { t.process.kill() }

func (t *traefik) file(name string) string { return filepath.Join(t.g.Dir, name) }

// traefikEntry finds the probe of a line of Traefik's standard output, on which the log is too.
func traefikEntry(line map[string]any) (probe string, access bool) {
	_, access = line["RequestCount"]
	probe, _ = line["request_"+probeHeader].(string)
	return probe, access
}

// load writes the site where Traefik watches and waits until every entry point serves it. Traefik takes
// whatever can be read: the error says what it could not build, and the routers concerned are gone.
func (t *traefik) load(site Site) error {
	mark := len(t.log())
	if err := t.write(site); err != nil {
		return err
	}
	return t.applied(mark)
}

// write replaces the watched file at once, with a mark that tells this load from those before.
func (t *traefik) write(site Site) error {
	t.loads++
	config, err := t.dynamic(site)
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.file("dynamic.next"), config, 0o600); err != nil {
		return err
	}
	t.site = site
	return os.Rename(t.file("dynamic.next"), t.file("dynamic.yml"))
}

// applied waits for the last load's mark; mark is how long the log was before it.
func (t *traefik) applied(mark int) error {
	ctx, cancel := context.WithTimeout(t.g.t.Context(), Patience)
	defer cancel()
	for _, address := range []string{
		"http://127.0.0.1:" + strconv.Itoa(t.g.admin), t.g.URL(""), "http://" + t.g.OtherAddr(), t.g.SecureURL(""),
	} {
		for t.marked(ctx, address) != t.loads {
			if !t.process.running() {
				return errors.New("the gateway ended")
			}
			if log := t.log()[mark:]; strings.Contains(log, "Error occurred during watcher callback") {
				return fmt.Errorf("the gateway cannot read the file: %s", log)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s does not serve load %d", address, t.loads)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return t.refused(ctx)
}

// marked is which load an entry point serves; 0 if none.
func (t *traefik) marked(ctx context.Context, address string) int {
	resp, err := t.ask(ctx, address+markPath)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	n, _ := strconv.Atoi(resp.Header.Get(markHeader))
	return n
}

func (t *traefik) ask(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return t.poll.Do(req)
}

// refused is what Traefik's API says that it could not build.
func (t *traefik) refused(ctx context.Context) error {
	resp, err := t.ask(ctx, t.admin("/api/rawdata"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	type built map[string]struct{ Error []string }
	var all struct{ Routers, Middlewares, Services built }
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return err
	}
	var errs []error
	for _, kind := range []built{all.Routers, all.Middlewares, all.Services} {
		for name, b := range kind {
			for _, text := range b.Error {
				errs = append(errs, fmt.Errorf("%s: %s", name, text))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (t *traefik) admin(path string) string {
	return "http://127.0.0.1:" + strconv.Itoa(t.g.admin) + path
}

// settle has nothing to wait for: requests that began before a load was applied end as they began.
func (t *traefik) settle(testing.TB) {}

// decision reads the announced variant in the access log, and in service mode which service it led to.
func (t *traefik) decision(rollout, probe string) (Decision, error) {
	entry, err := t.process.entry(probe)
	if err != nil {
		return Decision{}, err
	}
	field := func(name string) string {
		s, _ := entry[name].(string)
		return s
	}
	header := "X-Rollout-Variant"
	for _, r := range t.site.Rollouts {
		if r.Name == rollout && r.Announce.Request != "" {
			header = r.Announce.Request
		}
	}
	if header == "off" {
		return Decision{Variant: field("downstream_X-Backend")}, nil // nothing else tells
	}
	d := Decision{Variant: field("request_" + header)}
	service := field("ServiceName")
	if t.mode == serviceMode && t.site.Verbatim == "" && !strings.HasSuffix(service, "-"+d.Variant+"@file") {
		return d, fmt.Errorf("announced %q, but the service is %q", d.Variant, service)
	}
	return d, nil
}

func (t *traefik) log() string { return t.process.log() }

func (t *traefik) root() string { return t.authority.File }

// The token of the control instance, and the file that it is in.
const (
	controlToken = "the token of the control instance"
	tokenFile    = "token"
)

func (t *traefik) configuration() (url string) { return t.admin("/api/rawdata") }

func (t *traefik) control() (url, token string) { return t.admin("/rollouts"), controlToken }

func (t *traefik) pid() int { return t.process.pid() }

func (t *traefik) metrics() (url, token string) { return t.admin("/grayling/metrics"), controlToken }

func (t *traefik) pprof() string { return t.admin("/debug/pprof/") }
