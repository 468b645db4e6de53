package skew

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/etcdstore"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

const lease = 15 * time.Second // who does not report for so long is gone

// TestClocksThatAreWrong has a fleet of which one member is half a minute ahead, and another as much behind.
func TestClocksThatAreWrong(t *testing.T) {
	program := build(t)
	etcd := etcdstore.Start(t, etcdstore.Programs(t)["pinned"], 1, nil).Members[0]
	began := time.Now()
	fleet := []*member{start(t, program, etcd.URL, -30), start(t, program, etcd.URL, 0), start(t, program, etcd.URL, 30)}
	for _, m := range fleet {
		go m.traffic(t)
	}
	for _, m := range fleet {
		m.await(t, "it belongs to the fleet", func(s gateway.Status) bool { return len(s.Members) == len(fleet) })
	}
	met := time.Now()
	for _, m := range fleet {
		m.await(t, "the third step", func(s gateway.Status) bool { return s.Step == 3 })
	}
	if took := time.Since(began); took < 6*time.Second {
		t.Errorf("two steps of three seconds each took %v", took)
	}
	time.Sleep(time.Until(met.Add(lease + 2*time.Second))) // after which who is taken to be gone is
	for _, m := range fleet {
		m.await(t, "nobody is taken to be gone, or to differ", func(s gateway.Status) bool {
			return len(s.Members) == len(fleet) && !slices.ContainsFunc(s.Members, func(other gateway.Member) bool {
				return other.State != "progressing" || other.Step != 3 || other.Differs != "" || !other.Judges || other.Reported < 0 || other.Reported > 2*lease
			})
		})
	}

	fleet[2].canary.Store(http.StatusInternalServerError)
	for _, m := range fleet {
		m.await(t, "the rollback", func(s gateway.Status) bool { return s.State == "rolled_back" })
		for user := range 50 {
			if variant := m.do(t, m.request(t, user)); variant != "stable" {
				t.Errorf("the clock is %d s ahead, and after the rollback user %d has %s", m.ahead, user, variant)
			}
		}
	}
	const want = "started 1, step_advanced 2, step_advanced 3, rolled_back 3"
	for _, m := range fleet {
		gateway.Eventually(t, "it knows all that happened", func() bool { return m.story(t) == want })
	}
}

// member is a process of the fleet.
type member struct {
	ahead  int // seconds
	url    string
	client *http.Client
	canary atomic.Int64 // the status that its canary answers
}

// start starts a member, which ends with the test.
func start(t *testing.T, program, etcd string, ahead int) *member {
	t.Helper()
	command := exec.Command(program, "-etcd", etcd, "-name", fmt.Sprint("edge", ahead))
	command.Env = append(os.Environ(), fmt.Sprint(variable, "=", ahead))
	log := &strings.Builder{}
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		if t.Failed() {
			t.Logf("the log of who is %d s ahead:\n%s", ahead, log.String())
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("a member does not start: %v", err)
	}
	m := &member{ahead: ahead, url: strings.TrimSpace(url), client: &http.Client{Timeout: gateway.Patience}}
	m.canary.Store(http.StatusOK)
	before := time.Now().Unix() - 1 // clocks are put right
	clock := m.ask(t, "/clock")
	after := time.Now().Unix() + 1
	if read, err := strconv.ParseInt(clock, 10, 64); err != nil || read-int64(ahead) < before || read-int64(ahead) > after {
		t.Fatalf("the clock of who is to be %d s ahead reads %s, %v", ahead, clock, err)
	}
	return m
}

// traffic has users ask until the test ends.
func (m *member) traffic(t *testing.T) {
	for user := 0; t.Context().Err() == nil; user++ {
		if r, err := m.client.Do(m.request(t, user%50)); err == nil {
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (m *member) request(t *testing.T, user int) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.url+"/", nil)
	if err != nil {
		panic(err) // it is written above
	}
	r.Header.Set("X-User", fmt.Sprint("user", user))
	r.Header.Set("X-Canary", strconv.FormatInt(m.canary.Load(), 10))
	return r
}

func (m *member) ask(t *testing.T, path string) (answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.do(t, r)
}

func (m *member) do(t *testing.T, r *http.Request) (answer string) {
	t.Helper()
	response, err := m.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// await waits until the status is as it has to be.
func (m *member) await(t *testing.T, what string, is func(gateway.Status) bool) {
	t.Helper()
	for end := time.Now().Add(gateway.Patience); ; time.Sleep(50 * time.Millisecond) {
		var s gateway.Status
		text := m.ask(t, "/rollouts/timed")
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if is(s) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("who is %d s ahead: still not: %s: %s", m.ahead, what, text)
		}
	}
}

// story is what happened, by kind and step, but for steps that were held for want of requests.
func (m *member) story(t *testing.T) string {
	t.Helper()
	text := m.ask(t, "/rollouts/timed/events")
	var answer struct{ Events []gateway.Event }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var list []string
	for i, e := range answer.Events {
		if e.ID != int64(i)+1 {
			t.Errorf("who is %d s ahead knows event %d after %d others", m.ahead, e.ID, i)
		}
		if e.Event != "held" && e.Event != "stalled" {
			list = append(list, fmt.Sprint(e.Event, " ", e.Step))
		}
	}
	return strings.Join(list, ", ")
}
