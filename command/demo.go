package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/dashboard"
)

// demoRollout is the rollout of the demo.
const demoRollout = "checkout"

// demo is a rollout that somebody watches: two versions that misbehave as they are told, a gateway before them, clients,
// and the dashboard.
type demo struct {
	caddy  func(caddyfile []byte) (stop func() error, err error)
	plugin fs.FS

	options *options
	bad     bool
	traefik string // its program; "" for Caddy
	listen  string // of the dashboard
	site    string // of the gateway
	out     io.Writer
}

func (o *options) demo(program Program) *cobra.Command {
	d := &demo{caddy: program.RunCaddy, plugin: program.Plugin, options: o}
	command := &cobra.Command{
		Use: "demo", Short: "Show a rollout of two fake versions, on a page",
		Long: `Show a rollout on this machine: a gateway, two fake versions behind it, some requests a second, a plan
with short steps, and the dashboard, on which the versions can be made to fail. Nothing has to be
installed, and nothing is left when it is interrupted.`,
		Args: heeding(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
			defer stop()
			d.out = command.OutOrStdout()
			return d.run(ctx)
		},
	}
	command.Flags().BoolVar(&d.bad, "bad", false, "have the new version fail after some seconds, and be rolled back")
	command.Flags().StringVar(&d.listen, "listen", "127.0.0.1:0", "the address on this machine of the dashboard; port 0 is a free one")
	command.Flags().StringVar(&d.site, "site", "127.0.0.1:0", "the address of the gateway's site; port 0 is a free one")
	if program.Plugin != nil {
		command.Flags().StringVar(&d.traefik, "traefik", "", "the program of a Traefik to show it with (default Caddy, which is part of this program)")
	}
	return command
}

// run shows the demo until the context ends.
func (d *demo) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "grayling-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Setenv("XDG_DATA_HOME", dir); err != nil { // where a Caddy notes who it is
		return err
	}
	listener, err := listenHere(d.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // again, if it was served
	versions, err := newVersions("stable", "canary")
	if err != nil {
		return err
	}
	defer versions.close()
	gateway, stop, err := d.gateway(ctx, dir, versions)
	if errors.Is(err, context.Canceled) {
		return nil // somebody thought better of it
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	others.Go(func() { send(ctx, "http://"+d.site+"/") })
	if d.bad {
		others.Go(func() { d.worsen(ctx, gateway, versions) })
	}
	page := dashboard.Handler(gateway.handler(), dashboard.Options{Gateway: gateway.name, Demo: versions, Done: ctx.Done()})
	_, err = fmt.Fprintf(d.out, "Dashboard  http://%s/\nSite       http://%s/\nControl    %s\nCtrl-C ends the demo\n\n", listener.Addr(), d.site, gateway.name)
	if err != nil {
		return err
	}
	others.Go(func() {
		w := &watcher{gateway: gateway, name: demoRollout, out: d.out, notes: io.Discard}
		_ = w.run(ctx) // the demo goes on without a reader
	})
	return serve(ctx, listener, here(page))
}

// gateway starts the gateway and waits until the rollout has begun. d.site is where it is then.
func (d *demo) gateway(ctx context.Context, dir string, versions *versions) (*client, func() error, error) {
	control, err := freeAddress("127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	if d.site, err = freeAddress(d.site); err != nil {
		return nil, nil, fail(exitUsage, "--site: %w", err)
	}
	gateway, err := (&options{server: func() (string, error) { return "http://" + control, nil }, timeout: d.options.timeout}).client()
	if err != nil {
		return nil, nil, err
	}
	var stop func() error
	var process *traefik
	var ended <-chan struct{} // of a Caddy never, which is part of this program
	if d.traefik == "" {
		stop, err = d.caddy(d.caddyfile(dir, control, versions))
	} else if process, gateway.token, err = d.startTraefik(dir, control, versions); err == nil {
		stop, ended = process.stop, process.ended
	}
	if err != nil {
		return nil, nil, err
	}
	const patience = 2 * time.Minute // Traefik interprets the plugin first, on a machine that may have much else to do
	end := time.Now().Add(patience)
	for {
		status, _, err := gateway.statusOf(ctx, demoRollout)
		if err == nil && status.State == string(rollout.Progressing) {
			return gateway, stop, nil
		}
		if err == nil {
			err = fmt.Errorf("the rollout is %s", status.State)
		}
		if time.Now().After(end) {
			return nil, nil, errors.Join(fail(exitRefused, "the gateway does not begin: %w", err), stop())
		}
		select {
		case <-ctx.Done():
			return nil, nil, errors.Join(ctx.Err(), stop())
		case <-ended:
			return nil, nil, process.failure()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// freeAddress returns the address once it is found to be free, with a free port if that was 0: one below those that the
// kernel gives to connections, so that none takes it before the gateway listens.
func freeAddress(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "0" {
		return address, tryAddress(address)
	}
	const lowest, end = 22000, 32768
	for range 100 {
		address = net.JoinHostPort(host, strconv.Itoa(lowest+rand.IntN(end-lowest)))
		if err = tryAddress(address); err == nil {
			break
		}
	}
	return address, err
}

func tryAddress(address string) error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}

// worsen waits for the second step, and has the canary fail.
func (d *demo) worsen(ctx context.Context, gateway *client, versions *versions) {
	for {
		status, _, err := gateway.statusOf(ctx, demoRollout)
		if err == nil && status.Step > 1 {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
	errorRate, latency := 0.2, 360.0
	_ = versions.turn(turn{Name: "canary", ErrorRate: &errorRate, Latency: &latency}) // both can be
	_, _ = fmt.Fprintln(d.out, "From now on, every fifth answer of canary is an error")
}

// send sends requests of many clients, 150 a second if they are answered within a second, until the context ends.
func send(ctx context.Context, url string) {
	const clients, workers, every = 5000, 150, time.Second / 150
	browser := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer browser.CloseIdleConnections()
	due := make(chan int)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for client := range due {
				get(ctx, browser, url, client)
			}
		})
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			select {
			case due <- n * 7919 % clients: // all of them, in no order that the split could know
			default: // they are all waiting for answers
			}
		}
	}
	close(due)
	all.Wait()
}

func get(ctx context.Context, browser *http.Client, url string, client int) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return // it is of this program's making
	}
	r.AddCookie(&http.Cookie{Name: "uid", Value: fmt.Sprint(client)})
	response, err := browser.Do(r)
	if err != nil {
		return // the gateway has counted it, or ends
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}
