package integration

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

// TestFleetInStorage lets five Caddys with one storage be one.
func TestFleetInStorage(t *testing.T) {
	t.Parallel()
	together := planned("together", step("50%", "2s"), step("100%", ""))
	together.Plan.MinRequests = 40
	site := gateway.Site{Storage: t.TempDir(), Rollouts: []gateway.Rollout{
		together, planned("commanded", manual("50%"), step("100%", "")), fleetSticky(), strict("failing"),
	}}
	e := &edges{}
	e.start(t, site, func(int) []string { return nil }, gateway.Caddy{}, gateway.Caddy{}, gateway.Caddy{}, gateway.Caddy{}, gateway.Caddy{})

	t.Run("the fleet's requests count together", func(t *testing.T) { expectSum(t, e.convoy(site.Rollouts[0])) })
	t.Run("commands through any gateway are for all", func(t *testing.T) { expectObedience(t, e.convoy(site.Rollouts[1])) })
	t.Run("a cookie of one is a cookie of all", func(t *testing.T) { expectOneCookie(t, e.convoy(site.Rollouts[2])) })
	t.Run("a canary that fails behind one gateway is taken back everywhere", func(t *testing.T) {
		c := e.convoy(site.Rollouts[3])
		f := c.traffic(t, c[0].users(50))
		c[0].await(t, "the checks pass", func(s gateway.Status) bool { return s.Verdict() == "pass" })
		c[2].fail()
		c.awaitState(t, "rolled_back", 0)
		c.expectNoCanary(t, f)
		verdict := c[0].last(t, "rolled_back").Time
		late, slowest := f.lateCanary(verdict), f.slowest()
		t.Logf("the fleet's last answer of the canary came %v after the verdict; the slowest of all took %v", late, slowest)
		if late > 5*time.Second+5*slowest { // the storage is asked every 1.5 to 2.5 seconds: two of these
			t.Errorf("the canary answered %v after the verdict", late)
		}
	})
	t.Run("one that is killed drops out", func(t *testing.T) {
		c := e.convoy(site.Rollouts[1])
		c[1].g.Kill()
		for _, p := range []*pilot{c[0], c[2], c[3], c[4]} {
			p.await(t, "one less", func(s gateway.Status) bool { return len(s.Members) == len(c)-1 })
		}
		c[1].g.Restart()
		for _, p := range c {
			p.await(t, "it is back", func(s gateway.Status) bool { return len(s.Members) == len(c) })
		}
	})
	t.Run("without the storage everybody goes on as it stands", func(t *testing.T) {
		c := e.convoy(site.Rollouts[1])
		state, other := filepath.Join(site.Storage, "rollouts"), filepath.Join(site.Storage, "other")
		write(t, other, "")
		exchange := func() { // at once, or a gateway would make the directory anew
			if err := unix.Renameat2(unix.AT_FDCWD, state, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err != nil {
				t.Fatal(err)
			}
		}
		exchange()
		for _, p := range c {
			p.await(t, "the store is away", func(s gateway.Status) bool { return s.StoreAway != "" })
			if user := p.users(50)[0]; p.get(t, user) != "canary" {
				t.Errorf("%s has %s", user, p.get(t, user))
			}
		}
		c[0].command(t, http.StatusServiceUnavailable, "promote", "")
		c[0].command(t, http.StatusOK, "abort", "")
		exchange()
		c.awaitState(t, "rolled_back", 0)
	})
}
