package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Caddy is the Caddy host.
type Caddy struct{}

// Name is "caddy".
func (Caddy) Name() string { return "caddy" }

// Traits of Caddy: the module writes into its access log, and a load that fails changes nothing.
func (Caddy) Traits() Traits {
	return Traits{Reasons: true, Trailers: true, Keeps: true, Fallback: true}
}

type caddy struct {
	g         *Gateway
	process   *process
	adminAddr string
	admin     http.Client
	running   []byte // the Caddyfile that was loaded last
}

func (Caddy) launch(g *Gateway) instance {
	g.t.Helper()
	c := &caddy{g: g, adminAddr: "127.0.0.1:" + strconv.Itoa(g.admin)}
	// Every load replaces the admin endpoint too.
	c.admin.Transport = &http.Transport{DisableKeepAlives: true}
	c.admin.Timeout = Patience
	config, err := c.caddyfile(g.Site)
	if err != nil {
		g.t.Fatal(err)
	}
	c.running = config
	c.start()
	return c
}

func (c *caddy) start() {
	g := c.g
	g.t.Helper()
	if err := os.WriteFile(c.configFile(), c.running, 0o600); err != nil {
		g.t.Fatal(err)
	}
	cmd := c.command(g.t, "run", "--config", c.configFile(), "--adapter", "caddyfile")
	cmd.Env = append(cmd.Env, g.Site.environment()...)
	if g.Site.Traces {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+g.Backend("collector").Addr(),
			"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=100")
	}
	c.process = run(g.t, cmd, caddyEntry)
	// The admin endpoint opens before the sites do, one after the other, and certificates are made after that.
	Eventually(g.t, "Caddy is ready", func() bool {
		if !c.process.running() {
			g.t.Fatalf("Caddy ended before it was ready; its Caddyfile:\n%s", c.running)
		}
		return accepts(c.adminAddr) && c.configured() && accepts(g.Addr()) && (!g.Site.TLS || g.handshakes())
	})
}

// configured says whether a configuration is in force: the admin endpoint shows none before.
func (c *caddy) configured() bool {
	resp, err := c.admin.Get("http://" + c.adminAddr + "/config/")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	config, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK && len(bytes.TrimSpace(config)) > len("null")
}

func (c *caddy) kill() { c.process.kill() }

func (c *caddy) configFile() string { return filepath.Join(c.g.Dir, "Caddyfile") }

// command is a Caddy command that sees no configuration and no certificates but the test's own.
func (c *caddy) command(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.Command(CaddyBinary(t), args...)
	cmd.Dir = c.g.Dir
	cmd.Env = append(os.Environ(), "HOME="+c.g.Dir, "XDG_CONFIG_HOME="+c.g.Dir+"/config", "XDG_DATA_HOME="+c.g.Dir+"/data")
	return cmd
}

// accepts says whether something listens.
func accepts(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// load sends the Caddyfile to POST /load, even if it is the one that runs. A connection that the
// replaced admin endpoint drops is made again: loading twice is loading once.
func (c *caddy) load(site Site) error {
	config, err := c.caddyfile(site)
	if err != nil {
		return err
	}
	var resp *http.Response
	for end := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		var req *http.Request
		req, err = http.NewRequest(http.MethodPost, "http://"+c.adminAddr+"/load", bytes.NewReader(config))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "text/caddyfile")
		req.Header.Set("Cache-Control", "must-revalidate")
		if resp, err = c.admin.Do(req); err == nil {
			break
		}
		if !c.process.running() || time.Now().After(end) {
			return err
		}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Error string }
		body, _ := io.ReadAll(resp.Body)
		json.Unmarshal(body, &problem)
		return fmt.Errorf("%s: %s", resp.Status, problem.Error)
	}
	c.running = config
	return nil
}

// settle waits until the servers of the configuration before have closed their sockets: Caddy answers
// a load earlier.
func (c *caddy) settle(t testing.TB) {
	t.Helper()
	Eventually(t, "only the new configuration listens", func() bool {
		n, err := listeners(c.g.plain, c.g.other, c.g.secure, c.g.admin)
		if err != nil {
			t.Fatal(err)
		}
		for _, sockets := range n {
			if sockets > 1 {
				return false
			}
		}
		return true
	})
}

// decision reads the access log; the fields and the placeholders have to agree.
func (c *caddy) decision(rollout, probe string) (Decision, error) {
	entry, err := c.process.entry(probe)
	if err != nil {
		return Decision{}, err
	}
	field := func(name string) string {
		s, _ := entry[name].(string)
		return s
	}
	d := Decision{field("rollout_" + rollout), field("rollout_" + rollout + "_reason"), field("probe_" + rollout + "_rule")}
	if _, ok := entry["probe_"+rollout+"_variant"]; !ok {
		return d, nil // Caddy leaves out what log_append adds where a response broke off
	}
	placeholders := Decision{field("probe_" + rollout + "_variant"), field("probe_" + rollout + "_reason"), d.Rule}
	if d != placeholders {
		return d, fmt.Errorf("access log has %q, placeholders have %q", d, placeholders)
	}
	return d, nil
}

func (c *caddy) log() string { return c.process.log() }

func (c *caddy) root() string {
	return filepath.Join(c.g.Dir, "data", "caddy", "pki", "authorities", "local", "root.crt")
}

func (c *caddy) configuration() (url string) { return "http://" + c.adminAddr + "/config/" }

func (c *caddy) control() (url, token string) { return "http://" + c.adminAddr + "/rollouts", "" }

func (c *caddy) pid() int { return c.process.pid() }

func (c *caddy) metrics() (url, token string) { return "http://" + c.adminAddr + "/metrics", "" }

func (c *caddy) pprof() string { return "http://" + c.adminAddr + "/debug/pprof/" }

// caddyEntry finds the probe of a line of Caddy's standard output, which is the access log.
func caddyEntry(line map[string]any) (probe string, access bool) {
	request, _ := line["request"].(map[string]any)
	headers, _ := request["headers"].(map[string]any)
	values, _ := headers[probeHeader].([]any)
	if len(values) == 0 {
		return "", true
	}
	probe, _ = values[0].(string)
	return probe, true
}

// Command runs Caddy's command line beside the running one and returns all that it printed.
func (g *Gateway) Command(t testing.TB, args ...string) (string, error) {
	t.Helper()
	c, ok := g.instance.(*caddy)
	if !ok {
		t.Fatalf("%s has no such command line", g.Host)
	}
	out, err := c.command(t, args...).CombinedOutput()
	return string(out), err
}

// AccessLog returns one field of a request's access-log entry, "" if it is absent.
func (g *Gateway) AccessLog(t testing.TB, probe, field string) string {
	t.Helper()
	entry, err := g.instance.(*caddy).process.entry(probe)
	if err != nil {
		t.Fatal(err)
	}
	if entry[field] == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(entry[field]))
}
