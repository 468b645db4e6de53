package traefikplugin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

func TestReplacedConfigurationsAreLetGo(t *testing.T) {
	const warm, rounds = 20, 500
	for i := 1; i <= 2; i++ { // the rollouts of other tests: what they hold comes and goes
		rollouts.forget(time.Now().Add(time.Duration(i) * time.Hour))
	}
	g := &registry{byName: map[string]*remembered{}}
	host := core.Host{Log: logger("test")}
	config := planned(t)
	config.Store.Kind = "memory"
	config.Proxy.HealthCheck = core.HealthCheck{Path: "/healthz", Interval: "1h"}
	var end context.CancelFunc
	replace := func(i int) {
		if end != nil {
			end()
		}
		ctx, cancel := context.WithCancel(context.Background())
		end = cancel
		config.Variants = []core.Variant{
			{Name: "stable", Upstreams: []any{"http://127.0.0.1:1"}},
			{Name: "canary", Upstreams: []any{"http://127.0.0.1:1"}},
		}
		config.Plan.MinRequests = int64(10 + i%2)
		if _, err := g.join(ctx, config, host); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < warm; i++ {
		replace(i)
	}
	live := g.byName[config.Name].live
	begun := func() string {
		status, _ := live.Status()
		events, _ := live.Events(0)
		return fmt.Sprint(status.State, " ", status.Step, " ", status.Since, " ", len(events))
	}
	eventually(t, "the plan has begun", func() bool { return strings.HasPrefix(begun(), "progressing 1 ") })
	then := begun()
	goroutines := runtime.NumGoroutine()
	before := heap()
	for i := 0; i < rounds; i++ {
		replace(i)
	}
	eventually(t, "what was replaced has ended", func() bool { return runtime.NumGoroutine() <= goroutines+rounds/50 })
	// A configuration is some 100 KiB, most of it the table of its slots.
	eventually(t, "what was replaced is let go", func() bool {
		return heap() <= before+rounds*4<<10
	})
	if now := begun(); now != then {
		t.Errorf("%d configurations later the plan is at %s, before at %s", rounds, now, then)
	}
	end()
	g.forget(time.Now())
	g.forget(time.Now().Add(keep + time.Second))
	eventually(t, "what was forgotten has ended", func() bool { return runtime.NumGoroutine() < goroutines })
}

func TestRolloutsShareAFile(t *testing.T) {
	g := &registry{byName: map[string]*remembered{}}
	file := filepath.Join(t.TempDir(), "state.json")
	join := func(name string) *rollout {
		config := planned(t)
		config.Name = name
		config.Store = core.Store{Kind: "file", Path: file}
		r, err := g.join(context.Background(), config, core.Host{Log: logger("test")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.end() })
		return r
	}
	if join("first").store != join("second").store {
		t.Error("one file has two stores")
	}
	eventually(t, "both are in the file", func() bool {
		content, _ := os.ReadFile(file)
		return strings.Contains(string(content), `"first":`) && strings.Contains(string(content), `"second":`)
	})
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
