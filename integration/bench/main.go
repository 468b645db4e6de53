// Command bench measures what a proxied request costs a real gateway, and what it costs Traefik to start: the CPU time of
// the process, in plain configurations and with a rollout.
//
// A run has one workload: what clients ask, what upstreams answer, and what the gateway does besides, such as TLS and an
// access log. All configurations of a gateway run side by side and take turns, in rounds that are long enough for some garbage
// collections each. The half of the rounds
// counts in which all together took the least time: there the machine was least busy with other things. A ratio is
// taken within a round, and the median of the rounds is the result. The plain one is measured twice: the distance of the
// second from 1 shows what the method can tell apart.
//
// With -tail it measures what clients wait for while mirrors misbehave. Requests arrive at a fixed rate that leaves the
// machine time, of an upstream that takes as long as real ones do: what a primary that waits for its copies would add is
// far above what copies take of the processors. All rounds count, because a tail is made of what is rare.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) > 1 && os.Args[1] == serveUpstreams {
		log.Fatal(upstreams(os.Args[2:]))
	}
	b := bench{workload: workloads[0]}
	flag.StringVar(&b.caddy, "caddy", "../bin/caddy", "Caddy's binary")
	flag.StringVar(&b.traefik, "traefik", "../bin/traefik", "Traefik's binary, which tools/build.sh traefik builds")
	flag.StringVar(&b.plugin, "plugin", "..", "the directory of the plugin for Traefik")
	flag.Func("workload", "`name` of what clients ask, upstreams answer and gateways do besides: cleartext or edge (default cleartext)", func(name string) (err error) {
		b.workload, err = workloadNamed(name)
		return err
	})
	flag.StringVar(&b.only, "only", "", "comma-separated configurations to measure, besides those that they are compared with (default all)")
	flag.IntVar(&b.rounds, "rounds", 0, "rounds to measure (default 40, of which the quieter half counts; with -tail 12, which all count)")
	flag.IntVar(&b.requests, "requests", 0, "requests to each configuration in each round (default 5000, with -tail 160)")
	flag.IntVar(&b.connections, "connections", 16, "connections to each configuration, each with one request at a time")
	flag.IntVar(&b.starts, "starts", 10, "starts of Traefik to measure, without and with plugins")
	flag.BoolVar(&b.tail, "tail", false, "measure what 99 of 100 requests keep within while mirrors misbehave, and not CPU time, on all CPUs")
	flag.DurationVar(&b.delay, "delay", 50*time.Millisecond, "how long the upstream takes to answer, with -tail; 0 answers at once")
	flag.IntVar(&b.rate, "rate", 100, "requests that arrive in a second, with -tail")
	flag.BoolVar(&b.json, "json", false, "print JSON, with the figures of every round")
	flag.Parse()
	if b.tail {
		b.rounds, b.requests = cmp.Or(b.rounds, 12), cmp.Or(b.requests, 160)
	} else {
		b.rounds, b.requests, b.delay = cmp.Or(b.rounds, 40), cmp.Or(b.requests, 5000), 0
	}
	if flag.NArg() > 0 || b.tail && (b.json || b.workload.edge) || b.delay < 0 || b.rate < 1 || b.rounds < 1 || b.starts < 1 || b.connections < 1 || b.requests < b.connections {
		flag.Usage()
		os.Exit(2)
	}
	if err := b.report(); err != nil {
		log.Fatal(err)
	}
}

// report measures and prints, unless it is interrupted.
func (b *bench) report() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := b.run(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	write := writeTable
	switch {
	case b.json:
		write = writeJSON
	case b.tail:
		write = b.writeTails
	}
	if len(results) > 0 {
		err = errors.Join(err, write(os.Stdout, results))
	}
	return err
}

// bench is one run.
type bench struct {
	caddy, traefik, plugin                string
	only                                  string
	rounds, requests, connections, starts int
	json, tail                            bool
	workload                              *workload
	delay                                 time.Duration
	rate                                  int
}

// part is what one process of a gateway is measured of.
type part struct {
	configurations []configuration
	measure        func(context.Context, *setting, []result) error
}

// run measures what was chosen, gateway by gateway, and stops what it started. With an error it returns what was measured
// until then.
func (b *bench) run(ctx context.Context) (results []result, err error) {
	parts := []part{{caddyConfigurations, b.measureCaddy}, {traefikConfigurations, b.measureTraefik}}
	if !b.workload.edge {
		parts = append(parts, part{startConfigurations, b.measureStarts})
	}
	if b.tail {
		parts = []part{{caddyTail, b.measureCaddyTail}, {traefikTail, b.measureTraefikTail}}
	}
	var all []configuration
	for _, p := range parts {
		all = append(all, p.configurations...)
	}
	chosen, err := selected(all, b.only)
	if err != nil {
		return nil, err
	}
	for _, binary := range []*string{&b.caddy, &b.traefik} { // they run in other directories
		if *binary, err = filepath.Abs(*binary); err != nil {
			return nil, err
		}
	}
	if !b.tail {
		if err := shareCPU(); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "gateway-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	upstream, addrs, err := startUpstreams(ctx, b.workload, b.delay)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, upstream.stop()) }()
	for _, part := range parts {
		var own []result
		for _, c := range part.configurations {
			if chosen[c.name] {
				own = append(own, result{configuration: c})
			}
		}
		if len(own) == 0 {
			continue
		}
		s, err := newSetting(filepath.Join(dir, own[0].name), b.workload, addrs)
		if err != nil {
			return results, err
		}
		if err := part.measure(ctx, s, own); err != nil {
			return results, err
		}
		compare(own)
		results = append(results, own...)
	}
	return results, nil
}

// selected returns the names of the named configurations, and of those that they are compared with.
func selected(all []configuration, names string) (map[string]bool, error) {
	wanted := make(map[string]bool)
	if names == "" {
		for _, c := range all {
			wanted[c.name] = true
		}
		return wanted, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, c := range all {
			if c.name == name {
				found, wanted[c.name], wanted[c.to] = true, true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no configuration is named %q", name)
		}
	}
	return wanted, nil
}
