package etcdstore

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/integration/port"
)

// Network is what members of a cluster reach each other by. It can be parted.
type Network struct {
	places map[string]string // where a member's peers are served, by the name that it has among them

	mu      sync.Mutex
	apart   string          // the member that none of the others reaches; empty: all do; guarded by mu
	present context.Context // ends with the next change; guarded by mu
	change  func()
}

// StartApart starts a cluster whose members reach each other by a network that can be parted. Each has a proxy of its own to
// the others, which are called by names that nobody else knows: etcd goes by proxies for whatever is no local address.
func StartApart(t testing.TB, program string, members int) (*Cluster, *Network) {
	t.Helper()
	n := &Network{places: make(map[string]string)}
	n.Join()
	var peers []peer
	for i := range members {
		name, place := fmt.Sprintf("m%d", i), port.Address(t)
		n.places[name+".peers"] = place
		proxy := httptest.NewServer(n.from(name + ".peers"))
		t.Cleanup(proxy.Close)
		t.Cleanup(n.Join) // before: what the proxies still pass on ends
		_, number, err := net.SplitHostPort(place)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, peer{
			listen: "http://" + place, advertise: "http://" + name + ".peers:" + number,
			environment: append(os.Environ(), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy="),
		})
	}
	return start(t, program, peers, nil), n
}

// Part keeps a member from all others.
func (n *Network) Part(member int) { n.become(fmt.Sprintf("m%d.peers", member)) }

// Join lets all members reach each other.
func (n *Network) Join() { n.become("") }

func (n *Network) become(apart string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.apart = apart
	if n.change != nil {
		n.change()
	}
	n.present, n.change = context.WithCancel(context.Background())
}

// from passes on what a member sends to others, as long as the network is as it is.
func (n *Network) from(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, _, _ := strings.Cut(r.URL.Host, ":")
		n.mu.Lock()
		parted := n.apart != "" && (n.apart == name || n.apart == to)
		present := n.present
		n.mu.Unlock()
		place := n.places[to]
		if parted || place == "" {
			panic(http.ErrAbortHandler)
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(present, cancel)()
		proxy := httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) { p.Out.URL.Host = place }}
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})
}
