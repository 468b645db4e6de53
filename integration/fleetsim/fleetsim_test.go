package fleetsim

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/etcdstore"
	"github.com/grayling-gateway/grayling/integration/faulty"
)

// How large the fleet is, and how long each part of the simulation lasts.
var (
	gateways = flag.Int("gateways", 20, "how many gateways there are")
	rollouts = flag.Int("rollouts", 3, "how many rollouts each of them has")
	lasts    = flag.Duration("for", 4*time.Second, "how long each part lasts")
	metered  = flag.Int("metered", 10, "of how many gateways the bytes are counted")
	pause    = flag.Duration("pause", time.Second, "how long a gateway has no requests for a rollout after it had two")
)

// TestSimulation tells what a fleet asks of its etcd, and how long it takes until all gateways know what happened.
// "make simulate-fleet" makes it large.
func TestSimulation(t *testing.T) {
	cluster := etcdstore.Start(t, etcdstore.Programs(t)["pinned"], 1, nil)
	etcd := cluster.Members[0]
	var links []*faulty.Link
	for range min(*metered, *gateways) {
		links = append(links, faulty.Listen(t, strings.TrimPrefix(etcd.URL, "http://")))
	}
	before := memory()
	began := time.Now()
	f := start(t, size{gateways: *gateways, rollouts: *rollouts}, func(g int) string {
		if g < len(links) {
			return "http://" + links[g].Addr()
		}
		return etcd.URL
	})
	t.Logf("%d gateways with %d rollouts each: started in %v", f.gateways, f.rollouts, time.Since(began).Round(time.Second))

	t.Log("nobody commands anything, and all rollouts are judged:")
	watch(t, f, etcd, links, func(end time.Time) { time.Sleep(time.Until(end)) })

	t.Log("somebody commands one rollout after the other:")
	told := tally{}
	began = time.Now()
	watch(t, f, etcd, links, func(end time.Time) {
		for r := 0; r == 0 || time.Now().Before(end); r++ {
			told.add(f.tell(t, r%f.rollouts))
		}
	})
	told.log(t, f, time.Since(began))

	t.Log("somebody commands all rollouts at once, again and again:")
	told = tally{}
	began = time.Now()
	watch(t, f, etcd, links, func(end time.Time) {
		for first := true; first || time.Now().Before(end); first = false {
			var telling sync.WaitGroup
			for r := range f.rollouts {
				telling.Go(func() { told.add(f.tell(t, r)) })
			}
			telling.Wait()
		}
	})
	told.log(t, f, time.Since(began))
	size := given()
	used := memory() - before // last, because it takes the processors for a while
	t.Logf("memory: %.0f kB for each rollout of a gateway, %.1f GB together, for which the system gave %.1f GB", float64(used)/1e3/float64(f.gateways*f.rollouts), float64(used)/1e9, size)
	for r, commands := range f.commands {
		if last := lastEvent(f, r); int(last) != commands+1 {
			t.Errorf("rollout %d is at event %d, want %d: each command once", r, last, commands+1)
		}
	}
}

// tally is what became of commands.
type tally struct {
	mu            sync.Mutex
	commits, lags []time.Duration // guarded by mu
}

func (c *tally) add(commit time.Duration, lags []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits = append(c.commits, commit)
	c.lags = append(c.lags, lags...)
}

func (c *tally) log(t *testing.T, f *fleet, took time.Duration) {
	t.Helper()
	t.Logf("  %d commands, %.1f a second: written after %s; then all gateways went by them after %s",
		len(c.commits), float64(len(c.commits))/took.Seconds(), spread(c.commits), spread(c.lags))
	if n := f.unanswered.Swap(0); n > 0 {
		t.Logf("  %d had no answer in time, and were tried again", n)
	}
	if len(c.lags) != f.gateways*len(c.commits) {
		t.Errorf("%d times a gateway heard of %d commands", len(c.lags), len(c.commits))
	}
}

func lastEvent(f *fleet, r int) int64 {
	events, _ := f.lives[r][f.gateways-1].Events(0)
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].ID
}

// watch lets something happen for a while, and tells what the etcd did meanwhile.
func watch(t *testing.T, f *fleet, etcd *etcdstore.Member, links []*faulty.Link, happens func(end time.Time)) {
	t.Helper()
	before, sent := counters(t, etcd), passed(links)
	began := time.Now()
	happens(began.Add(*lasts))
	seconds := time.Since(began).Seconds()
	after := counters(t, etcd)
	rate := func(name string) float64 { return (after[name] - before[name]) / seconds }
	each := float64(f.gateways)
	t.Logf("  etcd: %.0f transactions and %.0f ranges a second, %.2f and %.2f a gateway; %.0f keys written a second; %.0f %% of a processor, %.0f MB",
		rate("Txn"), rate("Range"), rate("Txn")/each, rate("Range")/each, rate("etcd_mvcc_put_total"),
		100*rate("process_cpu_seconds_total"), after["process_resident_memory_bytes"]/1e6)
	t.Logf("  bytes on the wire, both directions: %.1f kB a second and gateway, the mean of %d", float64(passed(links)-sent)/1e3/seconds/float64(len(links)), len(links))
}

func passed(links []*faulty.Link) int64 {
	var sum int64
	for _, l := range links {
		sum += l.Bytes()
	}
	return sum
}

// counters are etcd's metrics, and its calls by the method.
func counters(t *testing.T, etcd *etcdstore.Member) map[string]float64 {
	t.Helper()
	resp, err := http.Get(etcd.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			continue
		}
		if labels, called := strings.CutPrefix(name, "grpc_server_handled_total"); called {
			_, method, _ := strings.Cut(labels, `grpc_method="`)
			name, _, _ = strings.Cut(method, `"`)
		}
		all[name] += value
	}
	for _, name := range []string{"Txn", "Range", "etcd_mvcc_put_total", "process_cpu_seconds_total"} {
		if _, known := all[name]; !known {
			t.Fatalf("etcd does not count %s", name)
		}
	}
	return all
}

// spread is the middle, the last hundredth and the end of some times.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "nothing"
	}
	slices.Sort(times)
	at := func(share float64) time.Duration {
		return times[int(share*float64(len(times)-1))].Round(time.Millisecond / 10)
	}
	return fmt.Sprintf("%v (median), %v (99 %%), %v (all)", at(0.5), at(0.99), at(1))
}

// memory is what this process needs, without what waits to be collected.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// given is how many GB the system gave to this process.
func given() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys-m.HeapReleased) / 1e9
}
