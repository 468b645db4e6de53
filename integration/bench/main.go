// Command bench measures what a proxied request costs a real gateway, and what it costs Traefik to start: the CPU time of
// the process, in plain configurations and with a rollout.
//
// A run has one workload: what clients ask, what upstreams answer, and what the gateway does besides, such as TLS and an
// access log. All configurations of a gateway run side by side and take turns, in rounds that are long enough for some garbage
// collections each. The half of the rounds
// counts in which all together took the least time: there the machine was least busy with other things. A ratio is
// taken within a round, and the median of the rounds is the result. The plain one is measured twice: the distance of the
// second from 1 shows what the method can tell apart.
package main

import (
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
	flag.IntVar(&b.rounds, "rounds", 40, "rounds to measure; the quieter half counts")
	flag.IntVar(&b.requests, "requests", 5000, "requests to each configuration in each round")
	flag.IntVar(&b.connections, "connections", 16, "connections to each configuration, each with one request at a time")
	flag.IntVar(&b.starts, "starts", 10, "starts of Traefik to measure, without and with plugins")
	flag.BoolVar(&b.tail, "tail", false, "measure what 99 of 100 requests keep within while mirrors misbehave, and not CPU time, on all CPUs")
	flag.BoolVar(&b.json, "json", false, "print JSON, with the figures of every round")
	flag.Parse()
	if flag.NArg() > 0 || b.tail && (b.json || b.workload.edge) || b.rounds < 1 || b.starts < 1 || b.connections < 1 || b.requests < b.connections {
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
		write = writeTails
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
	upstream, addrs, err := startUpstreams(ctx, b.workload)
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
