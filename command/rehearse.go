package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/traefikplugin"
)

// rehearsal is how the rollouts of a configuration are asked what they would do, without a gateway.
type rehearsal struct {
	caddy   func(file, adapter string) ([]*core.Engine, error) // nil: there are no configurations of Caddy's
	adapter string
	state   string
	step    int
}

func (r *rehearsal) flags(flags *pflag.FlagSet) {
	flags.StringVar(&r.adapter, "adapter", "", "Caddy's config adapter that reads the configuration (default by its name)")
	flags.StringVar(&r.state, "state", "", "as if the rollout were progressing, paused, promoted or rolled_back (default progressing)")
	flags.IntVar(&r.step, "step", 0, "as if the plan were in this step, from 1 (default 1)")
}

// isTraefik reports whether a configuration is one of Traefik's, by its name.
func isTraefik(file, adapter string) bool {
	return slices.Contains([]string{".yml", ".yaml", ".toml"}, filepath.Ext(file)) && adapter == ""
}

// engines returns the rollouts of a configuration, or the one of a name if that is not empty.
func (r *rehearsal) engines(file, name string) ([]*core.Engine, error) {
	var engines []*core.Engine
	var err error
	switch {
	case isTraefik(file, r.adapter):
		engines, err = rehearseTraefik(file)
	case r.caddy == nil:
		return nil, fail(exitUsage, "%s: this program knows no configurations of Caddy", file)
	default:
		engines, err = r.caddy(file, r.adapter)
	}
	if err != nil {
		return nil, fail(exitRefused, "%w", err)
	}
	var names []string
	var chosen []*core.Engine
	for _, e := range engines {
		names = append(names, e.Name())
		if name == "" || e.Name() == name {
			chosen = append(chosen, e)
		}
	}
	if len(chosen) == 0 {
		return nil, fail(exitUsage, "%s: there is no rollout %q in it: there are %s", file, name, strings.Join(names, ", "))
	}
	if r.state == "" && r.step == 0 {
		return chosen, nil
	}
	state := rollout.Progressing
	if r.state != "" {
		state = rollout.State(r.state)
	}
	for _, e := range chosen {
		if err := e.Suppose(state, r.step); err != nil {
			return nil, fail(exitUsage, "%s: %w", e.Name(), err)
		}
	}
	return chosen, nil
}

// rehearseTraefik returns the rollouts in a configuration of Traefik's.
func rehearseTraefik(file string) ([]*core.Engine, error) {
	documents, err := readTraefik(file)
	if err != nil {
		return nil, err
	}
	var engines []*core.Engine
	for _, document := range documents {
		for _, p := range plugins(document, nil) {
			config, err := p.config()
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, strings.Join(p.keys, "."), err)
			}
			engine, err := traefikplugin.Rehearse(config)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, strings.Join(p.keys, "."), err)
			}
			if engine != nil {
				engines = append(engines, engine)
			}
		}
	}
	if len(engines) == 0 {
		return nil, fmt.Errorf("%s: %s", file, noRollout)
	}
	return engines, nil
}

// readTraefik reads the documents of a configuration of Traefik's.
func readTraefik(file string) ([]document, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	read := readYAML
	if filepath.Ext(file) == ".toml" {
		read = readTOML
	}
	documents, err := read(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return documents, nil
}
