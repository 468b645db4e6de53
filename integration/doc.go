// Package integration holds the scenarios that every host of Grayling has to pass, and runs them
// against the real gateways, each in a process of its own, with real backends.
//
// Run all, or one:
//
//	go test .
//	go test . -run 'TestScenarios/caddy/websocket'
//
// GRAYLING_CADDY names a Caddy that is built already; one built with -race fails a scenario in which it
// reports a race. GRAYLING_COMMAND does so for the command line. GRAYLING_TRAEFIK names a Traefik; without it integration/tools/build.sh builds one, once.
// When a scenario fails, the gateway's log is shown.
//
// A scenario says what it expects in no product's words: a gateway.Site, requests, and the decision for
// each ("canary rule:qa": variant, reason, rule). What only one host has, such as Caddy's matchers, says
// why and what stands for it elsewhere. A new host implements gateway.Host and is added to hosts; what it
// does differently is in gateway.Traits and in exceptions.
//
// Journeys are plans that go their way: steps, errors, commands, webhooks, Prometheus. All of a host share one gateway.
//
// Not proven here: networks that lose or delay packets, machines that run for weeks, other systems than
// Linux.
package integration
