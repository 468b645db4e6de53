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
	const warm, rounds = 20, 100
	g := &registry{byName: map[string]*remembered{}}
	host := core.Host{Log: logger("test")}
	config := checkout(t)
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
			{Name: "canary", Upstreams: []any{"http://127.0.0.1:1"}, Weight: fmt.Sprint(10+i%2, "%")},
		}
		if _, err := g.join(ctx, config, host); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < warm; i++ {
		replace(i)
	}
	before := heap()
	goroutines := runtime.NumGoroutine()
	for i := 0; i < rounds; i++ {
		replace(i)
	}
	// A configuration is some 100 KiB, most of it the table of its slots.
	if after := heap(); after > before+rounds*8<<10 {
		t.Errorf("each of %d replaced configurations leaves %d bytes", rounds, (after-before)/rounds)
	}
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > goroutines+rounds/10; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
	end()
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
