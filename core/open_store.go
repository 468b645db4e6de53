package core

import (
	"path/filepath"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/store"
)

// Kinds of [Store].
const (
	storeInMemory = "memory"
	storeInFile   = "file"
	storeInEtcd   = "etcd"
	storeOfCaddy  = "caddy"
)

// CheckStore returns what is wrong with the configuration of a store, with paths such as "store.kind", but for files that
// it names: they need to be there only where the gateway runs. host.Store is the store that the gateway itself has to
// offer; nil: it has none.
func CheckStore(config Store, host Host) []Problem {
	host.dry = true
	c := &checker{host: host}
	c.store(config)
	return c.problems
}

// OpenStore returns the store that is configured and, for [Host.StoreName], a name that tells it from others. A nil store
// is memory: every rollout has its own. host is as for [CheckStore]; report is told what an operator should know of the
// store. A store that is away is no problem.
func OpenStore(config Store, host Host, report func(error)) (store.Store, string, []Problem) {
	host.dry = false
	c := &checker{host: host}
	kind := c.store(config)
	var settings store.EtcdSettings
	if kind == storeInEtcd && len(c.problems) == 0 {
		settings = c.etcd(config)
		settings.Report = report
	}
	if len(c.problems) > 0 {
		return nil, "", c.problems
	}
	switch kind {
	case storeOfCaddy:
		return host.Store, storeOfCaddy, nil
	case storeInFile:
		file := store.NewFile(config.Path, report)
		name := storeInFile + " " + filepath.Clean(config.Path)
		return file, name, nil
	case storeInEtcd:
		etcd, err := store.NewEtcd(settings)
		if err != nil {
			c.fail("store", "%v", err)
			return nil, "", c.problems
		}
		name := storeInEtcd + " " + settings.Place()
		return etcd, name, nil
	}
	return nil, storeInMemory, nil
}

// store checks the configuration of a store, and returns its kind.
func (c *checker) store(config Store) string {
	c.rest("store.", config.Rest, []string{"kind", "path", "endpoints", "prefix", "username", "password", "tls", "timeout"})
	c.rest("store.tls.", config.TLS.Rest, []string{"ca", "certificate", "key", "server_name"})
	kind := config.Kind
	if kind == "" {
		kind = storeInMemory
		if c.host.Store != nil {
			kind = storeOfCaddy
		}
	}
	if kind != storeInFile && config.Path != "" {
		c.fail("store.path", "only the kind file has a path: leave it out, or write the kind file")
	}
	if kind != storeInEtcd {
		c.noEtcd(config)
	}
	switch {
	case kind == storeInMemory:
	case kind == storeOfCaddy && c.host.Store != nil:
	case kind == storeInFile && config.Path == "":
		c.fail("store.path", "a file needs a path, such as /var/lib/grayling/rollouts.json")
	case kind == storeInFile && !filepath.IsAbs(config.Path):
		c.fail("store.path", "%q depends on where the gateway was started: write the whole path, from /", config.Path)
	case kind == storeInFile:
	case kind == storeInEtcd:
		c.checkEtcd(config)
	default:
		c.unknownStore(config.Kind)
	}
	return kind
}

func (c *checker) unknownStore(kind string) {
	kinds := []string{storeInMemory, storeInFile, storeInEtcd}
	if c.host.Store != nil {
		kinds = append(kinds, storeOfCaddy)
	}
	hint := expr.Suggest(kind, kinds)
	if hint == "" {
		last := len(kinds) - 1
		hint = "; there are " + strings.Join(kinds[:last], ", ") + " and " + kinds[last]
	}
	c.fail("store.kind", "unknown kind %q%s", kind, hint)
}
