package traefikplugin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// running returns a rollout once it runs: before, nobody is counted.
func running(t *testing.T, name string) *core.Live {
	t.Helper()
	rollouts.mu.Lock()
	live := rollouts.byName[name].live
	rollouts.mu.Unlock()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		if status, runs := live.Status(); runs && status.State != core.UnknownState {
			return live
		}
		if time.Now().After(deadline) {
			t.Fatal("the rollout does not begin")
		}
	}
}

// TestGoalsAreReachedByWhatIsAnswered: who is refused has reached nothing, of a length that is told or not.
func TestGoalsAreReachedByWhatIsAnswered(t *testing.T) {
	config := checkout(t)
	config.Goals = []core.Goal{{Name: "paid", When: `path() == "/thanks"`}}
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil {
			t.Error(err)
		}
		if r.URL.Query().Get("length") != "" {
			w.Header().Set("Content-Length", "2")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "ok")
	})
	live := running(t, config.Name)
	clients := 0
	for _, status := range []string{"200", "302", "400", "402", "499", "500", "503"} {
		for _, length := range []string{"", "&length=2"} {
			clients++
			r := httptest.NewRequest(http.MethodGet, "http://shop.example/thanks?status="+status+length, nil)
			r.Header.Set("Cookie", "uid="+strconv.Itoa(clients))
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	list, has := live.Results()
	if !has || len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	reached := int64(0)
	for _, v := range list[0].Goals[0].Variants {
		reached += v.Reached
	}
	if got := fmt.Sprint(list[0].Clients, " ", reached); got != "14 4" {
		t.Errorf("clients, and those who reached the goal: %s, want 14 4", got)
	}
}

// withStatusGoals has every client be the canary's, and goals that the status decides.
func withStatusGoals(c *core.Config) {
	c.Variants[1].Weight = "99.99%"
	c.Rules = nil
	c.Goals = []core.Goal{
		{Name: "paid", When: `path() == "/orders"`},
		{Name: "ordered", When: `method() == "POST" && path() == "/orders" && status() == 201`},
		{Name: "broken", When: `status() >= 500`},
		{Name: "switched", When: `status() == 101`},
	}
}

// met names the goals that clients of the canary reached.
func met(t *testing.T, live *core.Live) string {
	t.Helper()
	list, has := live.Results()
	if !has || len(list) != 1 || list[0].Clients != 1 {
		t.Fatalf("%+v", list)
	}
	var names []string
	for _, g := range list[0].Goals {
		if g.Variants[1].Reached > 0 {
			names = append(names, g.Name)
		}
	}
	return strings.Join(names, " ")
}

// TestGoalsByStatusInServiceMode: goals that ask for the status are reached by what the client got, and by nothing that broke
// off.
func TestGoalsByStatusInServiceMode(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		aborted bool
		mirror  bool
		want    string
	}{
		"created":           {201, false, false, "paid ordered"},
		"created, mirrored": {201, false, true, "paid ordered"},
		"fine":              {200, false, false, "paid"},
		"refused":           {402, false, false, ""},
		"failed":            {503, false, false, "broken"},
		"failed, mirrored":  {503, false, true, "broken"},
		"switched":          {101, false, false, "paid switched"},
		"gone":              {499, false, false, ""},
		"aborted":           {201, true, false, ""},
		"failed, aborted":   {503, true, false, ""},
	} {
		test := test
		config := checkout(t)
		withStatusGoals(&config)
		config.Name = strings.ReplaceAll(strings.ReplaceAll(name, ", ", "-"), " ", "-")
		config.Announce = core.Announce{}
		if test.mirror {
			config.Mirrors = []core.Mirror{{Target: backend(t, "copy").URL, Methods: []string{"POST"}}}
		}
		handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
			r.Method = http.MethodGet // goals are of what came
			r.URL.Path = "/elsewhere"
			w.WriteHeader(test.status)
			if test.aborted {
				panic(http.ErrAbortHandler)
			}
		})
		live := running(t, config.Name)
		r := httptest.NewRequest(http.MethodPost, "http://shop.example/orders", nil)
		r.Header.Set("Cookie", "uid=ada")
		serve(handler, r)
		if got := met(t, live); got != test.want {
			t.Errorf("%s: reached %q, want %q", name, got, test.want)
		}
	}
}

// serve has a handler answer a request, or abort it.
func serve(handler http.Handler, r *http.Request) {
	defer func() { _ = recover() }()
	handler.ServeHTTP(httptest.NewRecorder(), r)
}

// TestGoalsByStatusInProxyMode: what the gateway answers in the place of an upstream that is away is an answer, too, and so is
// that of the baseline.
func TestGoalsByStatusInProxyMode(t *testing.T) {
	created := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	t.Cleanup(created.Close)
	for name, test := range map[string]struct {
		stable, canary, fallback, want string
	}{
		"answered":       {closed, created.URL, "", "paid ordered"},
		"not answered":   {created.URL, closed, "GET", "broken"},
		"another answer": {created.URL, closed, "POST", "ordered"},
		"nobody answers": {closed, closed, "POST", "broken"},
	} {
		test := test
		rollout := strings.ReplaceAll(name, " ", "-")
		front := behind(t, test.stable, test.canary, func(c *core.Config) {
			withStatusGoals(c)
			c.Name = rollout
			if test.fallback != "" {
				c.FallbackMethods = []string{test.fallback}
			}
		})
		live := running(t, rollout)
		ask(t, http.MethodPost, front.URL+"/orders", "a body", "Cookie: uid=ada")
		front.Close() // which waits until the request is over
		if got := met(t, live); got != test.want {
			t.Errorf("%s: reached %q, want %q", name, got, test.want)
		}
	}
}
