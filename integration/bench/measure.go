package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"
)

// method is how the results of a round come about.
type method struct {
	verify func(configuration) error                                           // that the configuration does what it is measured for
	round  func(gateway *process, clients client, s *setting, r *result) error // adds what it measured to the result
	warmUp int                                                                 // rounds that do not count
	keep   func([]result)                                                      // leaves out rounds of all; nil: none
}

// measure starts a gateway with all configurations that it has, and lets those of the results take turns. They share a
// process: two processes of one program differ by some percent, because where their memory lies is left to chance.
func (b *bench) measure(ctx context.Context, s *setting, all []configuration, command func() *exec.Cmd, results []result) (err error) {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	if err := s.place(names...); err != nil {
		return err
	}
	p, err := s.launch(command())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()

	how := method{verify: s.verify, round: b.costs, warmUp: 3, keep: keepQuiet}
	if b.tail {
		how = method{verify: func(configuration) error { return nil }, round: b.waits, warmUp: 1}
	}
	for _, r := range results {
		if err := how.verify(r.configuration); err != nil {
			return err
		}
	}
	s.transport.CloseIdleConnections()
	clients := make([]client, len(results))
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	for i, r := range results { // only now: gateways close connections that idle for long
		if clients[i], err = s.connect(r.name, b.connections); err != nil {
			return err
		}
	}
	for n := range how.warmUp + b.rounds {
		// In a new order each time, because a round leaves work behind, such as garbage to collect.
		for _, i := range rand.Perm(len(results)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			r := &results[i]
			if n == how.warmUp {
				*r = result{configuration: r.configuration}
			}
			if err := how.round(p, clients[i], s, r); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	if how.keep != nil {
		how.keep(results)
	}
	return nil
}

// costs adds the CPU time that the gateway takes for each of the round's requests, with their copies.
func (b *bench) costs(gateway *process, clients client, s *setting, r *result) error {
	if err := s.emptyLog(); err != nil {
		return err
	}
	before, err := gateway.cpuTime()
	if err != nil {
		return err
	}
	each := b.requests / b.connections
	if err := s.copiesOf(r.configuration, each*b.connections, func() error { return clients.send(each) }); err != nil {
		return err
	}
	after, err := gateway.cpuTime()
	r.rounds = append(r.rounds, (after-before)/time.Duration(each*b.connections))
	return err
}
