package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// routerService is a router outside, whose answers a scenario writes.
type routerService struct {
	*httptest.Server
	mu     sync.Mutex
	answer string   // "": no answer until the gateway goes away; guarded by mu, as is asked
	asked  []string // the questions
}

func newRouter(t *testing.T) *routerService {
	s := &routerService{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.asked = append(s.asked, string(question))
		answer := s.answer
		s.mu.Unlock()
		if answer == "" {
			<-r.Context().Done()
			return
		}
		io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *routerService) says(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *routerService) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// routed is an even split before which a router is asked.
func routed(url string) gateway.Rollout {
	r := split("50%")
	r.Rules = []gateway.Rule{qa}
	r.Router = gateway.Router{URL: url, Client: []string{`header("X-Client-Id")`}, Timeout: "10s", Headers: []string{"X-Plan"}}
	return r
}

var routerScenarios = []scenario{
	{
		name: "a router decides",
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			s := newRouter(t)
			s.says(`{"variant": "canary", "ttl": 3600}`)
			g.Reload(t, site(routed(s.URL+"/route")))
			ann := []string{"X-Client-Id: ann", "X-User: " + high}
			exchange{Request: at("/cart?token=hidden", append(ann, "X-Plan: gold", "Authorization: Bearer hidden", "Cookie: session=hidden")...), want: "canary router"}.check(t, g)
			exchange{Request: get(ann...), want: "canary assigned", client: []string{"Set-Cookie:"}}.check(t, g)
			exchange{Request: get("X-User: " + high), want: "stable split"}.check(t, g) // nobody to ask about
			exchange{Request: get("X-Client-Id: bob", "X-Version: v2"), want: "canary rule:qa"}.check(t, g)
			asked := s.questions()
			if len(asked) != 1 {
				t.Fatalf("asked %q", asked)
			}
			var q struct {
				Method, Path, Client string
				Headers              map[string]string
				Variants             []string
			}
			if err := json.Unmarshal([]byte(asked[0]), &q); err != nil || q.Method != "GET" || q.Path != "/cart" || q.Client != "ann" ||
				len(q.Headers) != 1 || q.Headers["X-Plan"] != "gold" || strings.Join(q.Variants, " ") != "stable canary" || strings.Contains(asked[0], "hidden") {
				t.Errorf("asked %s", asked[0])
			}
			g.Reload(t, site(change(routed(s.URL+"/route"), func(r *gateway.Rollout) { r.Variants[1].Weight = "0%" })))
			exchange{Request: get(ann...), want: "canary assigned"}.check(t, g)
			if n := len(s.questions()); n != 1 {
				t.Errorf("%d questions after a reload", n)
			}
		},
	},
	{
		name: "without an answer of the router the split decides",
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			s := newRouter(t)
			g.Reload(t, site(change(routed(s.URL), func(r *gateway.Rollout) { r.Router.Timeout = "8s" })))
			for i, answer := range []string{"", `{"variant": "purple"}`, `nonsense`, `{"variant": "canary", "ttl": -1}`, strings.Repeat(" ", 1<<20)} {
				s.says(answer)
				exchange{Request: get("X-Client-Id: "+strconv.Itoa(i), "X-User: "+low), want: "canary split"}.check(t, g)
				s.says(`{"variant": "stable", "ttl": 3600}`)
				exchange{Request: get("X-Client-Id: "+strconv.Itoa(i), "X-User: "+low), want: "stable router"}.check(t, g)
			}
			s.Close()
			for i := range 20 {
				exchange{Request: get("X-Client-Id: new"+strconv.Itoa(i), "X-User: "+low), want: "canary split"}.check(t, g)
			}
			exchange{Request: get("X-Client-Id: 0", "X-User: "+low), want: "stable assigned"}.check(t, g)
		},
	},
	{
		name: "a router is asked once about a client",
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			s := newRouter(t)
			s.says(`{"variant": "canary", "ttl": 3600}`)
			g.Reload(t, site(routed(s.URL)))
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					a, err := g.Try(get("X-Client-Id: ann"))
					if err != nil || a.Backend() != "canary" {
						t.Errorf("%q, %v", a.Backend(), err)
					}
				})
			}
			wg.Wait()
			if n := len(s.questions()); n != 1 {
				t.Errorf("16 requests at once, and %d questions", n)
			}
		},
	},
	{
		name: "a router's answers in a cookie",
		site: site(split("50%")),
		run: func(t *testing.T, g *gateway.Gateway) {
			s := newRouter(t)
			s.says(`{"variant": "canary", "ttl": 3600}`)
			g.Reload(t, site(change(sticky(), func(r *gateway.Rollout) { r.Key = nil; r.Router.URL = s.URL; r.Router.Timeout = "10s" })))
			a := g.Get(t, "/")
			expectDecision(t, "new", g, "checkout", a, "canary router")
			s.says(`{"variant": "stable", "ttl": 3600}`)
			exchange{Request: get("Cookie: " + cookies(a)), want: "canary assigned", client: []string{"Set-Cookie:"}}.check(t, g)
			exchange{Request: get(), want: "stable router"}.check(t, g)
		},
	},
	{
		name: "the worked example: 10%, then 50%, then 100%, by a router and by the split",
		site: site(workedExample("10%", "http://127.0.0.1:9", time.Now().Add(time.Hour))...),
		run:  runWorkedExample,
	},
}

// blueFor is the example's 300 s for blue, scaled.
const blueFor = 6 * time.Second

// workedExample is one rollout by the split, and one under /routed/ by the router.
func workedExample(share, router string, until time.Time) []gateway.Rollout {
	client := []string{`header("X-Client-Id")`}
	bySplit := gateway.Rollout{
		Name: "shop", Variants: []gateway.Variant{{Name: "blue"}, {Name: "green", Weight: share}},
		Sticky: gateway.Sticky{Mode: "memory", Client: client, TTL: until.Format(time.RFC3339Nano), BaselineTTL: blueFor.String()},
	}
	byRouter := gateway.Rollout{
		Name: "routed", Path: "/routed/*", Variants: []gateway.Variant{{Name: "blue"}, {Name: "green"}},
		Router: gateway.Router{URL: router, Client: client, Timeout: "10s"},
	}
	return []gateway.Rollout{bySplit, byRouter}
}

// runWorkedExample: new clients are 10% green, until a fixed time, and the others blue for 300 s; then half of them are
// green, and then all. Nobody who is green goes back before that time, and nobody who is blue is asked before his.
func runWorkedExample(t *testing.T, g *gateway.Gateway) {
	const clients = 120
	until := time.Now().Add(5 * blueFor) // the example's two hours
	percent := filepath.Join(t.TempDir(), "percent.txt")
	router := startRouter(t, percent, until)
	share := func(percents string) {
		write(t, percent, percents)
		g.Reload(t, site(workedExample(percents+"%", router, until)...))
	}
	ids := make([]string, clients)
	for i := range ids {
		ids[i] = "client-" + strconv.Itoa(i)
	}
	under := func(id string, percent int) bool { return slot("shop", id) < percent*slots/100 }
	visits := func(path, id string) string { return g.Get(t, path, "X-Client-Id: "+id).Backend() }
	// all holds every client's backend to what is expected; "" is either.
	all := func(when string, want func(id string) string) {
		t.Helper()
		for _, path := range []string{"/", "/routed/"} {
			greens := 0
			for _, id := range ids {
				got := visits(path, id)
				if w := want(id); w != "" && got != w {
					t.Errorf("%s, %s%s is on %s, want %s", when, path, id, got, w)
				}
				if got == "green" {
					greens++
				}
			}
			t.Logf("%s, %s: %d of %d are green", when, path, greens, clients)
		}
	}
	by := func(percent int) func(id string) string {
		return func(id string) string {
			if under(id, percent) {
				return "green"
			}
			return "blue"
		}
	}
	// asked waits until blue clients are asked again: the last one was assigned after all others.
	asked := func(id string) {
		t.Helper()
		gateway.Eventually(t, "blue clients are asked again", func() bool { return visits("/", id) == "green" && visits("/routed/", id) == "green" })
	}
	lastUnder := func(from, to int) string {
		for i := clients - 1; ; i-- {
			if under(ids[i], to) && !under(ids[i], from) {
				return ids[i]
			}
		}
	}

	share("10")
	first := time.Now()
	all("10%", by(10))
	share("50")
	// Who is blue stays it for his time, however the share grows: as long as that has not passed for the first of them.
	early := lastUnder(10, 50)
	for _, path := range []string{"/", "/routed/"} {
		if got := visits(path, early); got != "blue" && time.Since(first) < blueFor {
			t.Errorf("%s%s is on %s before his time", path, early, got)
		}
	}
	asked(early)
	all("50%", by(50))
	share("100")
	asked(lastUnder(50, 100))
	all("100%", by(100))
	share("0")
	if time.Now().Before(until) {
		for _, path := range []string{"/", "/routed/"} {
			if got := visits(path, ids[0]); got != "green" && time.Now().Before(until) {
				t.Errorf("%s: green does not last until its time", path)
			}
		}
	}
	gateway.Eventually(t, "the time of green is over", func() bool { return visits("/", ids[0]) == "blue" && visits("/routed/", ids[0]) == "blue" })
	if time.Now().Before(until) {
		t.Error("it was over too early")
	}
	all("after that", by(0))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startRouter builds and starts examples/router and returns its address.
func startRouter(t *testing.T, percent string, until time.Time) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "router")
	build := exec.Command("go", "build", "-o", binary, "./examples/router")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building examples/router: %v\n%s", err, out)
	}
	write(t, percent, "0")
	address := port.Address(t)
	cmd := exec.Command(binary, "-listen", address, "-percent", percent, "-until", until.Format(time.RFC3339Nano), "-blue-ttl", blueFor.String())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	gateway.Eventually(t, "the router answers", func() bool {
		resp, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(`{"client": "a"}`))
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return "http://" + address + "/"
}
