package traefikconfig

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/goal"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const (
	plans        = "integration/traefikconfig/testdata/plans/"
	controlToken = "the token of the control instance"
)

// status is what the control instance tells of a rollout.
type status struct {
	Name, Revision, Member, State, Candidate, Base string
	Step                                           int
	Steps                                          []struct {
		Weight  string
		For     time.Duration `json:"for_ns"`
		Manual  bool
		Confirm bool
	}
	Variants []struct{ Name, Weight string }
}

// TestPlanSpellings gives the same plan in every way that Traefik reads, beside a control instance, and requires that all
// of it arrives: in what the control instance tells, in what webhooks get, and in the file of the state.
func TestPlanSpellings(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(filepath.Join(checkout, plans))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"kubernetes"}
	for _, entry := range files {
		names = append(names, entry.Name())
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackends(t)
			hooks := startReceiver(t)
			state := filepath.Join(t.TempDir(), "state.json")
			secrets := []string{
				"CONTROL_TOKEN=" + controlToken, "NOTIFY_SECRET=a secret of notices", "NOTIFY_URL=" + hooks.url + "/slack", "PROMETHEUS_TOKEN=a-token",
			}
			local := func(file string) string {
				text := strings.ReplaceAll(read(t, plans+file), "http://10.0.0.9:8080", hooks.url)
				return b.local(strings.ReplaceAll(text, "/var/lib/grayling/state.json", state))
			}
			p := startPlan(t, name, local, secrets)
			p.ready(t, "shop.example")
			p.planned(t)
			p.mirrored(t, hooks)
			p.reached(t)
			gateway.Eventually(t, "both webhooks know that the plan has started", func() bool {
				return strings.Contains(hooks.got("/signed sha256="), `"event":"started"`) && strings.Contains(hooks.got("/slack "), "checkout")
			})
			if got := hooks.got("/signed sha256="); !strings.Contains(got, `"member":"edge-1"`) {
				t.Errorf("the webhook got %s", got)
			}
			content, err := os.ReadFile(state)
			if err != nil || !strings.Contains(string(content), `"checkout"`) {
				t.Errorf("the file has %q, %v", content, err)
			}
			if log := p.logged(); strings.Contains(log, "which Traefik's API shows") || strings.Contains(log, "is lost when Traefik restarts") {
				t.Error("warned without a reason")
			}
		})
	}
}

// startPlan starts a Traefik with one spelling of the plan. local returns a file, fitted to this machine; the plan
// names secrets of the environment.
func startPlan(t *testing.T, name string, local func(file string) string, secrets []string) *traefik {
	t.Helper()
	start := func(option string) *traefik { return start(t, append(secrets, option)...) }
	switch {
	case strings.HasPrefix(name, "labels"):
		return start("--providers.docker.endpoint=" + startDocker(t, container{name: "plan", labels: pairs(t, local(name))}))
	case strings.HasPrefix(name, "kv"):
		return start("--providers.etcd.endpoints=" + startEtcd(t, pairs(t, local(name))))
	case name != "kubernetes":
		return start("--providers.file.filename=" + file(t, name, local(name)))
	}
	dynamic := documents(t, local("plan.yaml"))[0]["http"].(object)
	var objects []object
	for _, name := range []string{"checkout", "control"} {
		metadata := object{"name": name, "namespace": "shop"}
		objects = append(objects,
			object{"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": metadata,
				"spec": object{"plugin": dynamic["middlewares"].(object)[name].(object)["plugin"]}},
			object{"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": metadata, "spec": object{"routes": []any{object{
				"match":       dynamic["routers"].(object)[name].(object)["rule"],
				"kind":        "Rule",
				"middlewares": []any{object{"name": name}},
				"services":    []any{object{"kind": "TraefikService", "name": "noop@internal"}},
			}}}})
	}
	for _, o := range objects {
		conforms(t, o)
	}
	return start("--providers.kubernetesCRD.endpoint=" + startKubernetes(t, objects))
}

// planned requires that the control instance tells the plan as it is written.
func (p *traefik) planned(t *testing.T) {
	t.Helper()
	var got status
	gateway.Eventually(t, "the plan has begun", func() bool {
		code, body := p.control(t, http.MethodGet, "/rollouts/checkout", controlToken)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &got) == nil && got.State == "progressing"
	})
	want := "{Name:checkout Revision:v2.3.1 Member:edge-1 State:progressing Candidate:canary Base:stable Step:1 " +
		"Steps:[{Weight:1% For:10m0s Manual:false Confirm:false} {Weight:10% For:30m0s Manual:false Confirm:true} " +
		"{Weight:25.5% For:1h0m0s Manual:false Confirm:false} {Weight:50% For:0s Manual:true Confirm:false}] " +
		"Variants:[{Name:stable Weight:94%} {Name:other Weight:5%} {Name:canary Weight:1%}]}"
	if told := fmt.Sprintf("%+v", got); told != want {
		t.Errorf("got  %s\nwant %s", told, want)
	}
}

// mirrored requires that the mirrors do what is written of them.
func (p *traefik) mirrored(t *testing.T, shadow *receiver) {
	t.Helper()
	type report struct {
		Mirror   string
		Counts   map[string]int64
		Compared int64
		Fields   []struct{ Name string }
		Pairs    []struct{ Path string }
	}
	var got struct{ Mirrors []report }
	gateway.Eventually(t, "the mirrors send", func() bool {
		code, _ := p.control(t, http.MethodGet, "/rollouts/checkout/mirror", controlToken)
		return code == http.StatusOK
	})
	var compared int64 // of those that the baseline served, which is nearly all
	for _, q := range []struct {
		method, target, copy, body string
		copied                     bool
	}{
		{"GET", "/a?page=2", "2", "", true}, {"POST", "/b", "1", "short", true},
		{"POST", "/c", "1", strings.Repeat("x", 1001), false}, {"PUT", "/d", "1", "", false}, {"GET", "/e", "3", "", false},
	} {
		r, err := http.NewRequest(q.method, "http://"+p.web+q.target, strings.NewReader(q.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "shop.example"
		r.Header.Set("X-Copy", q.copy)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, response.Body) // nothing is compared with what a client did not wait for
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s %s: %s, %v", q.method, q.target, response.Status, err)
		}
		if q.copied && variant(response.Header.Get("X-Backend")) == "stable" {
			compared++
		}
	}
	defer func() {
		if t.Failed() {
			t.Logf("want %d compared; the mirrors tell %+v", compared, got)
		}
	}()
	gateway.Eventually(t, "both copies are sent", func() bool {
		code, body := p.control(t, http.MethodGet, "/rollouts/checkout/mirror", controlToken)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &got) == nil && len(got.Mirrors) == 2 && got.Mirrors[1].Counts["sent"] == 2 &&
			got.Mirrors[1].Compared == compared
	})
	r := got.Mirrors[1]
	if got.Mirrors[0].Mirror != "canary" || r.Mirror != "shadow" || r.Counts["body_too_long"] != 1 {
		t.Errorf("the mirrors tell %+v", got.Mirrors)
	}
	if compared > 0 && (len(r.Fields) != 1 || r.Fields[0].Name != "header X-Backend") {
		t.Errorf("what differs is %+v", r.Fields)
	}
	for _, pair := range r.Pairs {
		if pair.Path != "/a?page=2" && pair.Path != "/b" {
			t.Errorf("compared: %+v", pair)
		}
	}
	if copies := shadow.got("/shadow/"); copies != "/shadow/a \n/shadow/b short" && copies != "/shadow/b short\n/shadow/a " {
		t.Errorf("copied: %q", copies)
	}
}

// reached requires that clients are known, and reach the goals, as it is written.
func (p *traefik) reached(t *testing.T) {
	t.Helper()
	for _, target := range []string{"/?user%2Cid=ada", "/thanks?user%2Cid=ada", "/?user%2Cid=bob&paid=2", "/blog/1?user%2Cid=bob", "/blog/2?user%2Cid=bob", "/?user%2Cid=eve&paid=3", "/thanks"} {
		if r := p.ask(t, "shop.example", request{target: target}); r.Status != http.StatusOK {
			t.Errorf("%s: %d", target, r.Status)
		}
	}
	counted := ""
	gateway.Eventually(t, "clients who reached goals are counted: read, paid", func() bool {
		var got struct{ Results []goal.Results }
		code, body := p.control(t, http.MethodGet, "/rollouts/checkout/results", controlToken)
		if code != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil || len(got.Results) != 1 {
			t.Fatalf("%d %s", code, body)
		}
		counted = fmt.Sprint(got.Results[0].Clients)
		for _, g := range got.Results[0].Goals {
			n := int64(0)
			for _, v := range g.Variants {
				n += v.Reached
			}
			counted += fmt.Sprint(" ", g.Name, " ", n)
		}
		return counted == "3 read 1 paid 2"
	})
}

// control asks the control instance, and returns status and body of its answer.
func (p *traefik) control(t *testing.T, method, target, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+p.web+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "ops.example"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// receiver is a server that remembers what is posted to it.
type receiver struct {
	url    string
	mu     sync.Mutex
	posted []string // guarded by mu: path, how the signature begins, and body
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		signature, _, _ := strings.Cut(request.Header.Get("X-Rollout-Signature"), "=")
		if signature != "" {
			signature += "="
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posted = append(r.posted, request.URL.Path+" "+signature+string(body))
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// got returns the posts that begin with a text, one a line.
func (r *receiver) got(prefix string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, post := range r.posted {
		if strings.HasPrefix(post, prefix) {
			list = append(list, post)
		}
	}
	return strings.Join(list, "\n")
}
