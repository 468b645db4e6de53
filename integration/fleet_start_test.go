package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/integration/etcdstore"
	"github.com/grayling-gateway/grayling/integration/faulty"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestStartWithoutStore starts gateways whose store cannot be reached, or does not answer. They serve the baseline, and
// set no cookies; when the store answers the plan begins, and so do cookies.
func TestStartWithoutStore(t *testing.T) {
	t.Parallel()
	for _, how := range []struct {
		name       string
		lose, mend func(*faulty.Link)
	}{
		{"cut off", (*faulty.Link).Cut, (*faulty.Link).Mend},
		{"silent", func(l *faulty.Link) { l.Delay(20 * time.Second) }, func(l *faulty.Link) { l.Delay(0) }}, // nobody waits for so long
	} {
		t.Run(how.name, func(t *testing.T) {
			cluster := etcdstore.Start(t, etcdstore.Programs(t)["pinned"], 1, nil)
			link := faulty.Listen(t, strings.TrimPrefix(cluster.Members[0].URL, "http://"))
			how.lose(link)
			site := gateway.Site{Rollouts: []gateway.Rollout{fleetSticky(), planned("other", manual("50%"), step("100%", ""))}}
			e := &edges{}
			e.start(t, site, func(int) []string { return []string{"http://" + link.Addr()} }, gateway.Caddy{}, gateway.TraefikProxy{})
			c := e.convoy(site.Rollouts[0])
			for _, p := range c {
				for range 4 {
					if a := p.g.Get(t, p.path()); a.Backend() != "pinned-stable" && a.Backend() != "stable" || cookies(a) != "" {
						t.Errorf("without its store %s answers %s with the cookie %q", p.g.Host, a.Backend(), cookies(a))
					}
				}
				p.await(t, "the store is away", func(s gateway.Status) bool { return s.State == "unknown" && s.StoreAway != "" })
			}
			how.mend(link)
			c.awaitState(t, "progressing", 1)
			gateway.Eventually(t, "cookies are set", func() bool {
				return cookies(c[0].g.Get(t, c[0].path())) != "" && cookies(c[1].g.Get(t, c[1].path())) != ""
			})
			expectOneCookie(t, c)
		})
	}
}
