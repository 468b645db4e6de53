package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestMain makes the test's program the upstreams' too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveUpstreams {
		log.Fatal(upstreams(os.Args[2:]))
	}
	os.Exit(gateway.Main(m))
}

// TestGateways measures real gateways as shortly as can be: every configuration does what it claims, or it is an error.
func TestGateways(t *testing.T) {
	restoreCPUs(t)
	for _, test := range []struct {
		workload *workload
		only     string
		results  int
	}{
		{workloads[0], "", len(caddyConfigurations) + len(traefikConfigurations) + len(startConfigurations)},
		{workloads[1], "rollout,policy,layers,service,service-mirror-100,proxy", 11}, // with those that they are compared with; all are started
	} {
		t.Run(test.workload.name, func(t *testing.T) {
			b := bench{
				caddy: gateway.CaddyBinary(t), traefik: gateway.TraefikBinary(t), plugin: filepath.Join("..", ".."),
				workload: test.workload, only: test.only, rounds: 1, requests: 4, connections: 2, starts: 1,
			}
			results, err := b.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(results) != test.results {
				t.Errorf("%d results, not %d", len(results), test.results)
			}
			for _, r := range results {
				if len(r.rounds) != 1 || r.rounds[0] <= 0 {
					t.Errorf("%s took %v", r.name, r.rounds)
				}
				if (r.to == "") != (len(r.ratios) == 0) {
					t.Errorf("%s is %v of %q", r.name, r.ratios, r.to)
				}
			}
		})
	}
}

// TestTails measures what clients wait, as shortly as can be, while mirrors misbehave.
func TestTails(t *testing.T) {
	b := bench{
		caddy: gateway.CaddyBinary(t), traefik: gateway.TraefikBinary(t), plugin: filepath.Join("..", ".."),
		workload: workloads[0], rounds: 1, requests: 40, connections: 2, tail: true, rate: 400,
	}
	results, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := len(caddyTail) + len(traefikTail); len(results) != want {
		t.Errorf("%d results, not %d", len(results), want)
	}
	for _, r := range results {
		if len(r.rounds) != 1 || r.sent != 40 || r.medians[0] <= 0 || r.rounds[0] < r.medians[0] {
			t.Errorf("%s: %d requests took %v and %v", r.name, r.sent, r.medians, r.rounds)
		}
		if r.copies != "" && r.arrived == 0 {
			t.Errorf("%s: no copy arrived", r.name)
		}
	}
	if err := b.writeTails(io.Discard, results); err != nil {
		t.Error(err)
	}
}

// TestClientAndUpstream lets the two ends of a run talk to each other without a gateway.
func TestClientAndUpstream(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := workloads[0]
	go accept(l, answering(w.answer(1), 0))
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go accept(other, answering(w.answer(0), 0))

	s := &setting{workload: w, addrs: map[string]string{"second": l.Addr().String(), "first": other.Addr().String()}}
	defer s.transport.CloseIdleConnections()
	c, err := s.connect("second", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 3 {
		if err := c.send(100); err != nil {
			t.Fatal(err)
		}
	}
	second := configuration{name: "second", moved: 1}
	if err := s.verify(second); err != nil {
		t.Error(err)
	}
	second.moved = 0.1
	if err := s.verify(second); err == nil || !strings.Contains(err.Error(), "100.0% of the users") {
		t.Errorf("a configuration that does not do what it is measured for: %v", err)
	}
	first := configuration{name: "first", moved: 0, rules: true}
	if err := s.verify(first); err == nil || !strings.Contains(err.Error(), `no rule matches "X-Version: v2"`) {
		t.Errorf("a configuration without rules: %v", err)
	}
}

// TestClientRefuses: a round with a response that is not what was asked for must not count.
func TestClientRefuses(t *testing.T) {
	for _, response := range []string{
		"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err == nil {
				conn.Read(make([]byte, 4096))
				conn.Write([]byte(response))
				conn.Close()
			}
		}()
		s := &setting{workload: workloads[0], addrs: map[string]string{"refused": l.Addr().String()}}
		c, err := s.connect("refused", 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.send(1); err == nil {
			t.Errorf("%q passes for a success", response)
		}
		c.close()
		l.Close()
	}
}

// TestShareCPU asks a program that was started afterwards how many CPUs it has.
func TestShareCPU(t *testing.T) {
	restoreCPUs(t)
	if err := shareCPU(); err != nil {
		t.Fatal(err)
	}
	if count, err := exec.Command("nproc").Output(); err != nil || strings.TrimSpace(string(count)) != "1" {
		t.Errorf("a gateway sees %s CPUs, %v", count, err)
	}
}

// restoreCPUs lets the tests after this one run on all CPUs again.
func restoreCPUs(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := confine(&all); err != nil {
			t.Error(err)
		}
	})
}

func TestSummarize(t *testing.T) {
	var sample []float64
	for i := range 100 { // 1 to 100, in no order
		sample = append(sample, float64(1+i*37%100))
	}
	want := summary[float64]{Median: 50.5, Min: 1, Max: 100, Low: 40, High: 61}
	if got := summarize(sample); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := summarize([]time.Duration{7}); got != (summary[time.Duration]{7, 7, 7, 7, 7}) {
		t.Errorf("one round: %v", got)
	}
}

func TestKeepQuiet(t *testing.T) {
	results := []result{
		{rounds: []time.Duration{10, 30, 11, 40, 13}},
		{rounds: []time.Duration{22, 60, 20, 10, 23}},
	}
	keepQuiet(results) // the totals are 32, 90, 31, 50, 36
	if a, b := results[0].rounds, results[1].rounds; !slices.Equal(a, []time.Duration{10, 11, 13}) || !slices.Equal(b, []time.Duration{22, 20, 23}) {
		t.Errorf("kept %d and %d", a, b)
	}
}

func TestReport(t *testing.T) {
	results := []result{
		{configuration: configuration{name: "a", about: "first"}, rounds: []time.Duration{50_000, 100_000, 200_000}},
		{configuration: configuration{name: "b", about: "second", to: "a"}, rounds: []time.Duration{55_000, 110_000, 100_000}},
	}
	compare(results)
	var table, data strings.Builder
	if err := writeTable(&table, results); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(&data, results); err != nil {
		t.Fatal(err)
	}
	// Not 1.0, which the medians of the two would give: what disturbs a round disturbs both.
	const want = "" +
		"configuration  CPU time  min .. max     ratio  95%             of  is\n" +
		"a              100.0 us  50.0 .. 200.0                             first\n" +
		"b              100.0 us  55.0 .. 110.0  1.100  0.500 .. 1.100  a   second\n"
	if table.String() != want {
		t.Errorf("got\n%swant\n%s", table.String(), want)
	}
	var records []struct {
		Name  string
		Ratio struct{ Median float64 }
	}
	if err := json.Unmarshal([]byte(data.String()), &records); err != nil || len(records) != 2 || records[1].Ratio.Median != 1.1 {
		t.Errorf("%v in %s", err, &data)
	}
}

func TestTailReport(t *testing.T) {
	const ms = time.Millisecond
	results := []result{
		{configuration: configuration{name: "calm", about: "first"}, sent: 200,
			medians: []time.Duration{50 * ms, 52 * ms}, rounds: []time.Duration{60 * ms, 100 * ms}},
		{configuration: configuration{name: "loud", about: "second", to: "calm", copies: "COPIES"}, sent: 200, arrived: 150,
			medians: []time.Duration{53 * ms, 53 * ms}, rounds: []time.Duration{66 * ms, 90 * ms}},
	}
	compare(results)
	b := bench{rate: 10, delay: 5 * ms}
	var table strings.Builder
	if err := b.writeTails(&table, results); err != nil {
		t.Fatal(err)
	}
	const want = "" +
		"200 requests to each configuration in 2 rounds, 10 arriving a second, of an upstream that takes 5ms to answer\n\n" +
		"configuration  p50 ms  p99 ms  min .. max       ratio  95%             more ms  95%              copied  is\n" +
		"calm           51.00   80.00   60.00 .. 100.00                                                           first\n" +
		"loud           53.00   78.00   66.00 .. 90.00   1.000  0.900 .. 1.100  -2.00    -10.00 .. +6.00  75%     second\n"
	if table.String() != want {
		t.Errorf("got\n%swant\n%s", table.String(), want)
	}
}

func TestQuantile(t *testing.T) {
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1))
	}
	if half, most := quantile(sorted, 50), quantile(sorted, 99); half != 100 || most != 198 {
		t.Errorf("half keep within %d, 99 of 100 within %d", half, most)
	}
	if only := quantile(sorted[:1], 99); only != 1 {
		t.Errorf("one keeps within %d", only)
	}
}

// TestTimed: a request that is late because of the one before has waited since its time came.
func TestTimed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const delay = 20 * time.Millisecond
	go accept(l, answering(workloads[0].answer(0), delay))
	s := &setting{workload: workloads[0], addrs: map[string]string{"slow": l.Addr().String()}}
	c, err := s.connect("slow", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	took, err := c.timed(10, delay/2)
	if err != nil || len(took) != 20 {
		t.Fatalf("%d requests, %v", len(took), err)
	}
	// Each connection is busy twice as long as it has: the tenth request waits for what is left of the nine before.
	if last := slices.Max(took); last < delay+9*delay/2 {
		t.Errorf("the last took %v", last)
	}
}

func TestSelected(t *testing.T) {
	all := []configuration{{name: "plain"}, {name: "rollout", to: "plain"}, {name: "builtin", to: "plain"}}
	list, err := selected(all, "builtin")
	if err != nil || len(list) != 2 || !list["plain"] || !list["builtin"] {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := selected(all, "builtin,typo"); err == nil {
		t.Error("a name that is none passes")
	}
}
