package traefikplugin

import (
	"context"
	"fmt"
	"runtime"
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

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
