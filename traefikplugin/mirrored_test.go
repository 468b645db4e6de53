package traefikplugin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/mirror"
)

// copyTarget is an upstream that remembers what it was asked.
type copyTarget struct {
	url    string
	answer string
	status int

	mu    sync.Mutex
	asked []string // guarded by mu
}

func newCopyTarget(t *testing.T, answer string, status int) *copyTarget {
	t.Helper()
	c := &copyTarget{answer: answer, status: status}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		c.mu.Lock()
		c.asked = append(c.asked, fmt.Sprint(r.Method, " ", r.Host, r.URL.String(), " ", string(body), " mirror=", h.Get("X-Rollout-Mirror"), " variant=", h.Get("X-Rollout-Variant"),
			" for=", h.Get("X-Forwarded-For"), " auth=", h.Get("Authorization"), " agent=", h.Get("User-Agent")))
		c.mu.Unlock()
		w.WriteHeader(c.status)
		_, _ = io.WriteString(w, c.answer)
	}))
	t.Cleanup(func() { server.Close() })
	c.url = server.URL
	return c
}

func (c *copyTarget) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...)
}

// copying waits until copies are sent, before which there is nobody who would, and came to an end.
func copying(t *testing.T, send func()) mirror.Report {
	t.Helper()
	asked := int64(0)
	var report mirror.Report
	eventually(t, "copies are sent", func() bool {
		if report.Counts["sent"] == 0 {
			send()
			asked++
		}
		report = reportOf(t)
		return report.Counts["sent"] > 0 && report.Counts["sent"]+report.Counts["stopped"] >= asked
	})
	return report
}

// reportOf returns what the only mirror of a test's rollout learned.
func reportOf(t *testing.T) mirror.Report {
	t.Helper()
	rollouts.mu.Lock()
	live := rollouts.byName[strings.ReplaceAll(t.Name(), "/", "-")].live
	rollouts.mu.Unlock()
	reports, _ := live.Mirrors()
	if len(reports) == 0 {
		return mirror.Report{}
	}
	report := reports[0]
	return report
}

// settled waits until a mirror has counted something so often, and returns what it learned.
func settled(t *testing.T, what string, n int64) mirror.Report {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		report := reportOf(t)
		if report.Counts[what] >= n {
			return report
		}
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes %s is still not %d: %+v", what, n, report)
		}
	}
}

func TestCopiesReachTheVariantAsItsRequestsDo(t *testing.T) {
	canary := newCopyTarget(t, "canary", 200)
	front := behind(t, backend(t, "stable").URL, canary.url+"/base", func(c *core.Config) {
		c.Mirrors = []core.Mirror{{Target: "canary", Methods: []string{"GET", "POST"}, When: `header("X-Copy") == "1"`, Timeout: "1m"}}
	})
	copying(t, func() { ask(t, "GET", front.URL, "", "X-Copy: 1") })
	before := len(canary.got())
	response, body := ask(t, "POST", front.URL+"/a%2Fb?x=1;y", "hello", "Host: shop.example", "X-Copy: 1", "Authorization: me", "User-Agent: test", "X-Forwarded-For: 192.0.2.1",
		"X-Rollout-Variant: forged")
	if body != "stable POST hello" || response.Header.Get("X-Saw") != "stable" {
		t.Errorf("the client got %q %v", body, response.Header)
	}
	eventually(t, "the copy arrives", func() bool { return len(canary.got()) > before })
	want := "POST shop.example/base/a%2Fb?x=1;y hello mirror=" + t.Name() + " variant=canary for=192.0.2.1, 127.0.0.1 auth=me agent=test"
	if got := canary.got(); got[len(got)-1] != want {
		t.Errorf("the copy is %q, want %q", got[len(got)-1], want)
	}
	ask(t, "GET", front.URL, "", "X-Version: v2", "X-Copy: 1") // the canary's own
	if got := canary.got(); !strings.Contains(got[len(got)-1], "mirror= ") {
		t.Errorf("the canary's own request is %q", got[len(got)-1])
	}
}

func TestCopiesTakeNoTurnsFromRequests(t *testing.T) {
	one, two := newCopyTarget(t, "same", 200), newCopyTarget(t, "same", 200)
	front := behind(t, one.url, newCopyTarget(t, "same", 200).url, func(c *core.Config) {
		c.Variants[0].Upstreams = append(c.Variants[0].Upstreams, two.url)
		c.Mirrors = []core.Mirror{{Target: "canary", Compare: []string{"status", "body"}, Control: "baseline", Timeout: "1m"}}
	})
	copying(t, func() { ask(t, "GET", front.URL, "") })
	own := func(c *copyTarget) int {
		n := 0
		for _, asked := range c.got() {
			if strings.Contains(asked, "mirror= ") {
				n++
			}
		}
		return n
	}
	first, second := own(one), own(two)
	for i := int64(0); i < 20; i++ {
		compared := reportOf(t).Counts["compared"]
		ask(t, "GET", front.URL, "")
		settled(t, "compared", compared+1) // its control has taken a turn, too
	}
	if own(one)-first != 10 || own(two)-second != 10 {
		t.Errorf("the upstreams of the baseline got %d and %d requests of 20", own(one)-first, own(two)-second)
	}
	if r := reportOf(t); r.Mismatch != 0 || !r.Controlled || len(r.Fields) > 0 {
		t.Errorf("learned: %+v", r)
	}
}

func TestWhatIsComparedInProxyMode(t *testing.T) {
	stable, canary := newCopyTarget(t, "one", 200), newCopyTarget(t, "two", 404)
	front := behind(t, stable.url, canary.url, func(c *core.Config) {
		c.Mirrors = []core.Mirror{{Target: "canary", Methods: []string{"GET", "POST"}, Compare: []string{"status", "body", "header X-Variant"}, Timeout: "1m"}}
	})
	r := copying(t, func() { ask(t, "GET", front.URL, "") })
	r = settled(t, "compared", r.Counts["sent"])
	ask(t, "POST", front.URL, "body")
	r = settled(t, "compared", r.Compared+1)
	if len(r.Fields) != 2 || r.Fields[0].Name != "body" || r.Fields[1].Name != "status" || r.Mismatch != 1 {
		t.Errorf("learned: %+v", r) // X-Variant is added on the way to the client
	}
}

func TestWhoAnswersInAnothersPlaceIsNotCompared(t *testing.T) {
	front := behind(t, closed, newCopyTarget(t, "two", 404).url, func(c *core.Config) {
		c.Mirrors = []core.Mirror{{Target: "canary", Compare: []string{"status"}, Timeout: "1m"}}
		c.Proxy.PassiveHealthCheck.Failures = "0"
	})
	r := copying(t, func() { ask(t, "GET", front.URL, "") })
	r = settled(t, "uncompared", r.Counts["sent"])
	if r.Compared != 0 {
		t.Errorf("learned of an error of the gateway's own: %+v", r)
	}
}

func TestWhatIsComparedInServiceMode(t *testing.T) {
	canary := newCopyTarget(t, "one and two", 200)
	config := checkout(t)
	config.Mirrors = []core.Mirror{{Target: canary.url, Name: "canary", Compare: []string{"status", "body", "header X-Variant"}, Timeout: "1m"}}
	status := 200
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("broken") != "" {
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}
		if status != 200 {
			w.WriteHeader(status)
		}
		_, _ = io.WriteString(w, "one ")
		_, _ = io.WriteString(w, "and two")
	})
	front := httptest.NewServer(handler)
	defer front.Close()
	r := copying(t, func() { ask(t, "GET", front.URL, "", "Authorization: me") })
	r = settled(t, "compared", r.Counts["sent"])
	if len(r.Fields) != 0 || r.Mismatch != 0 {
		t.Errorf("equal answers: %+v", r)
	}
	if got := canary.got()[0]; !strings.Contains(got, "variant=canary") || !strings.Contains(got, "auth=me") || !strings.Contains(got, "mirror="+t.Name()) {
		t.Errorf("the copy is %q", got)
	}
	compared := r.Compared
	status = 500
	ask(t, "GET", front.URL, "")
	r = settled(t, "compared", compared+1)
	if len(r.Fields) != 1 || r.Fields[0].Name != "status" {
		t.Errorf("another status: %+v", r)
	}
	// What may be Traefik's own, or breaks off, is nothing to compare with.
	before := r.Counts["uncompared"]
	for _, own := range []int{502, 503, 504} {
		status = own
		if response, body := ask(t, "GET", front.URL, ""); response.StatusCode != own || body != "one and two" {
			t.Errorf("the client got %d %q", response.StatusCode, body)
		}
	}
	response, err := http.Get(front.URL + "?broken=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if content, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("a broken answer passes for one: %q", content)
	}
	r = settled(t, "uncompared", before+4)
	if r.Compared != compared+1 {
		t.Errorf("learned: %+v", r)
	}
}

// A client who closes the connection once he was answered in full cancels the request, and was answered in full.
func TestAnAnswerIsWholeThoughItsClientLeaves(t *testing.T) {
	const length, part = 5_000_000, 100_000
	config := checkout(t)
	config.Mirrors = []core.Mirror{{Target: newCopyTarget(t, "", 200).url, Compare: []string{"status"}, Timeout: "1m"}}
	front := httptest.NewServer(start(t, config, func(w http.ResponseWriter, r *http.Request) {
		early := r.URL.Path == "/early"
		w.Header().Set("Content-Length", strconv.Itoa(length))
		_, _ = w.Write(make([]byte, part))
		if early {
			<-r.Context().Done()
		}
		for i := 1; i < length/part; i++ {
			_, _ = w.Write(make([]byte, part))
		}
		if !early {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(func() { front.Close() })
	get := func(path string, length int64) {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get(front.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, response.Body, length); err != nil {
			t.Errorf("%d bytes of %d arrive: %v", n, length, err)
		}
		_ = response.Body.Close()
	}
	r := copying(t, func() { get("/", length) })
	settled(t, "compared", r.Counts["sent"])
	get("/early", 1)
	if r := settled(t, "uncompared", 1); r.Compared != r.Counts["sent"]-1 {
		t.Errorf("learned: %+v", r)
	}
}

func TestServiceModeHandsConnectionsOver(t *testing.T) {
	config := checkout(t)
	config.Mirrors = []core.Mirror{{Target: newCopyTarget(t, "", 200).url, Compare: []string{"status", "body"}, Timeout: "1m"}}
	front := httptest.NewServer(start(t, config, func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello")
		_ = buffered.Flush()
		_ = conn.Close()
	}))
	defer front.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	content, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil || !strings.HasSuffix(string(content), "\r\n\r\nhello") {
		t.Errorf("%q, %v", content, err)
	}
}

func TestMirrorInServiceModeNeedsAURL(t *testing.T) {
	config := checkout(t)
	config.Mirrors = []core.Mirror{{Target: "canary", Compare: []string{"status"}, Control: "baseline", Timeout: "1m"}}
	problems := fmt.Sprint(core.Join(Check(config)))
	for _, part := range []string{"mirrors[0].target: ", "write the variant's URL", "mirrors[0].control: ", "write the baseline's URL"} {
		if !strings.Contains(problems, part) {
			t.Errorf("no %q in %s", part, problems)
		}
	}
	config.Mirrors = []core.Mirror{{Target: "http://10.0.1.1:8080", Name: "canary", Compare: []string{"status"}, Control: "http://10.0.0.1:8080"}}
	if problems := Check(config); len(problems) > 0 {
		t.Error(problems)
	}
}
