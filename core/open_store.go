package core

import (
	"path/filepath"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/store"
)

// Kinds of [Store].
const (
	storeInMemory = "memory"
	storeInFile   = "file"
	storeOfCaddy  = "caddy"
)

// OpenStore returns the store that is configured and, for [Host.StoreName], a name that tells it from others. A nil store
// is memory: every rollout has its own. gateway is the store that the gateway itself has to offer, nil if it has none;
// report is told what an operator should know of a file. The problems have paths such as "store.kind".
func OpenStore(config Store, gateway store.Store, report func(error)) (store.Store, string, []Problem) {
	c := &checker{}
	c.rest("store.", config.Rest, []string{"kind", "path"})
	kind := config.Kind
	if kind == "" {
		kind = storeInMemory
		if gateway != nil {
			kind = storeOfCaddy
		}
	}
	kinds := []string{storeInMemory, storeInFile}
	if gateway != nil {
		kinds = append(kinds, storeOfCaddy)
	}
	if config.Path != "" && kind != storeInFile {
		c.fail("store.path", "only the kind file has a path: leave it out, or write the kind file")
	}
	switch {
	case kind == storeInMemory:
		return nil, storeInMemory, c.problems
	case kind == storeOfCaddy && gateway != nil:
		return gateway, storeOfCaddy, c.problems
	case kind == storeInFile && config.Path == "":
		c.fail("store.path", "a file needs a path, such as /var/lib/grayling/rollouts.json")
	case kind == storeInFile && !filepath.IsAbs(config.Path):
		c.fail("store.path", "%q depends on where the gateway was started: write the whole path, from /", config.Path)
	case kind == storeInFile:
		file := store.NewFile(config.Path, report)
		name := storeInFile + " " + filepath.Clean(config.Path)
		return file, name, c.problems
	default:
		hint := expr.Suggest(kind, kinds)
		if hint == "" {
			hint = "; there are " + kinds[0] + " and " + kinds[1]
			if len(kinds) > 2 {
				hint = "; there are " + kinds[0] + ", " + kinds[1] + " and " + kinds[2]
			}
		}
		c.fail("store.kind", "unknown kind %q%s", config.Kind, hint)
	}
	return nil, "", c.problems
}
