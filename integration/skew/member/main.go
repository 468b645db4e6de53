// Command member is a gateway without a proxy: its engine, its store and its control API are real, and requests it answers
// itself, those for the canary as the header X-Canary says.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/control"
	"github.com/grayling-gateway/grayling/core/store"
)

func main() {
	endpoint := flag.String("etcd", "", "the endpoint of etcd")
	name := flag.String("name", "", "of the member")
	flag.Parse()
	if err := serve(*endpoint, *name); err != nil {
		log.Fatal(err)
	}
}

// serve serves at a free port, of which it tells the URL.
func serve(endpoint, name string) error {
	keeper, err := store.NewEtcd(store.EtcdSettings{Endpoints: []string{endpoint}})
	if err != nil {
		return err
	}
	live := core.NewLive()
	engine, err := core.Compile(config, live, core.Host{
		Store: keeper, StoreName: "the fleet's", Member: name, Gateway: "member",
		Handles: map[string]bool{"stable": true, "canary": true}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	go engine.Run(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/rollouts/", control.Handler(func() map[string]*core.Live { return map[string]*core.Live{config.Name: live} }))
	mux.HandleFunc("/clock", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, time.Now().Unix()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		decision := engine.Decide(r, "192.0.2.1", time.Now())
		status := http.StatusOK
		if asked, err := strconv.Atoi(r.Header.Get("X-Canary")); err == nil && decision.Variant == "canary" {
			status = asked
		}
		engine.Report(decision, core.Outcome{Status: status, Latency: time.Millisecond})
		w.WriteHeader(status)
		fmt.Fprint(w, decision.Variant)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	return http.Serve(listener, mux)
}

var config = core.Config{
	Name: "timed", Revision: "v2", Variants: []core.Variant{{Name: "stable"}, {Name: "canary"}}, Key: []string{`header("X-User")`},
	Plan: core.Plan{
		Steps:  []core.Step{{Weight: "20%", For: "3s"}, {Weight: "50%", For: "3s"}, {Weight: "75%", For: "1h"}, {Weight: "100%"}},
		Checks: []string{`error_rate("canary") <= 0.1`}, Every: "1s", Window: "2s", MinRequests: 20,
	},
}
