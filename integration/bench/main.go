// Command bench measures what a proxied request costs a real gateway: the CPU time of its process, in plain
// configurations and with a rollout.
//
// All configurations run side by side and take turns, in rounds of a thousand requests to each. The half of the rounds
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
	"math/rand/v2"
	"os"
	"os/signal"
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
	var b bench
	flag.StringVar(&b.caddy, "caddy", "../bin/caddy", "Caddy's binary")
	flag.StringVar(&b.only, "only", "", "comma-separated configurations to measure, besides those that they are compared with (default all)")
	flag.IntVar(&b.rounds, "rounds", 200, "rounds to measure; the quieter half counts")
	flag.IntVar(&b.requests, "requests", 1000, "requests to each configuration in each round")
	flag.IntVar(&b.connections, "connections", 16, "connections to each configuration, each with one request at a time")
	flag.BoolVar(&b.json, "json", false, "print JSON, with the figures of every round")
	flag.Parse()
	if flag.NArg() > 0 || b.rounds < 1 || b.connections < 1 || b.requests < b.connections {
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
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return err
	case b.json:
		return writeJSON(os.Stdout, results)
	}
	return writeTable(os.Stdout, results)
}

// configuration is one way to set up a gateway.
type configuration struct {
	name  string
	about string
	to    string  // the name of the configuration that it is compared with; "" for that one itself
	moved float64 // the share of users that it sends to the second upstream, roughly

	gateway *process
	addr    string
}

// bench is one run.
type bench struct {
	caddy                         string
	only                          string
	rounds, requests, connections int
	json                          bool
}

// run starts everything, measures, and stops what it started.
func (b *bench) run(ctx context.Context) (results []result, err error) {
	if err := shareCPU(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gateway-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	upstream, addrs, err := startUpstreams(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, upstream.stop()) }()
	caddy, configurations, err := startCaddy(ctx, b.caddy, dir, addrs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, caddy.stop()) }()
	if configurations, err = selected(configurations, b.only); err != nil {
		return nil, err
	}
	return b.measure(ctx, configurations)
}

// measure lets the configurations take turns.
func (b *bench) measure(ctx context.Context, configurations []configuration) ([]result, error) {
	results := make([]result, len(configurations))
	clients := make([]client, len(configurations))
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	for i, c := range configurations {
		results[i].configuration = c
		if err := c.verify(); err != nil {
			return nil, err
		}
		var err error
		if clients[i], err = connect(c.addr, b.connections); err != nil {
			return nil, err
		}
	}
	const warmUp = 3
	for round := range warmUp + b.rounds {
		// In a new order each time, because a round leaves work behind, such as garbage to collect.
		for _, i := range rand.Perm(len(results)) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			cost, err := b.round(results[i].gateway, clients[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", results[i].name, err)
			}
			if round >= warmUp {
				results[i].rounds = append(results[i].rounds, cost)
			}
		}
	}
	keepQuiet(results)
	compare(results)
	return results, nil
}

// round returns the CPU time that the gateway takes for each of the round's requests.
func (b *bench) round(gateway *process, clients client) (time.Duration, error) {
	before, err := gateway.cpuTime()
	if err != nil {
		return 0, err
	}
	each := b.requests / b.connections
	if err := clients.send(each); err != nil {
		return 0, err
	}
	after, err := gateway.cpuTime()
	return (after - before) / time.Duration(each*b.connections), err
}

// selected returns the named configurations, and those that they are compared with.
func selected(all []configuration, names string) ([]configuration, error) {
	if names == "" {
		return all, nil
	}
	wanted := make(map[string]bool)
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
	var list []configuration
	for _, c := range all {
		if wanted[c.name] {
			list = append(list, c)
		}
	}
	return list, nil
}
