package traefikplugin

import (
	"errors"

	"github.com/grayling-gateway/grayling/core"
)

// Rehearse returns the engine of a configuration as Traefik decodes it, to ask it what would become of requests: see
// [core.Rehearse]. It is nil for a configuration of control, which is no rollout.
func Rehearse(config core.Config) (*core.Engine, error) {
	written := asWritten(config)
	if commands(written) {
		return nil, core.Join(checkControl(written))
	}
	_, problems := readOwn(written, true)
	engine, err := core.Rehearse(written, core.Host{CamelCase: true, Address: checkAddress, LeadsOnly: !proxies(written)})
	if len(problems) > 0 {
		return nil, errors.Join(err, core.Join(problems))
	}
	return engine, err
}
