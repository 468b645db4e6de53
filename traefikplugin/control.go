package traefikplugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/control"
	"github.com/grayling-gateway/grayling/core/watch"
)

// minToken is how many characters the token of control has at least.
const minToken = 16

// commander answers who sees and commands the rollouts of this Traefik. It shares nothing with their middlewares but the
// registry.
type commander struct {
	ctx      context.Context // ends with the middleware
	rollouts http.Handler
	guarded  atomic.Value // *guarded: the same for those who know the token
}

// guarded is a handler behind a token.
type guarded struct{ handler http.Handler }

// ServeHTTP answers everything itself. A stream ends with the middleware, which may not be configured any more; a command
// is carried out.
func (c *commander) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		stop := context.AfterFunc(c.ctx, func() { cancel() })
		defer stop()
		r = r.WithContext(ctx)
	}
	c.guarded.Load().(*guarded).handler.ServeHTTP(w, r)
}

// commands reports whether a configuration is that of no rollout, but of control; or has nothing in it, of which that tells.
func commands(config core.Config) bool {
	return isEmpty(config) || fmt.Sprintf("%+v", config.Control) != fmt.Sprintf("%+v", core.Control{})
}

// isEmpty reports whether a configuration has nothing in it: as one with an empty control arrives.
func isEmpty(config core.Config) bool {
	return fmt.Sprintf("%+v", config) == fmt.Sprintf("%+v", core.Config{})
}

// checkControl returns what is wrong with a configuration of control, but for where its token is.
func checkControl(config core.Config) []core.Problem {
	problems := core.UnknownKeys("control.", config.Control.Rest, []string{"token"})
	if fmt.Sprintf("%+v", config) != fmt.Sprintf("%+v", core.Config{Control: config.Control}) {
		problems = append(problems, core.Problem{Path: "control", Text: "it commands all rollouts of this Traefik and is none itself: " +
			"leave out everything else here, and give the rollout a middleware of its own"})
	}
	token := config.Control.Token
	var err error
	switch {
	case isEmpty(config):
		err = errors.New("there is nothing in it: control needs a token, named as file:/path or env:NAME, and a rollout a name and variants")
	case token == "":
		err = errors.New("who knows it may command all rollouts, so it is needed: name it, as file:/path or env:NAME")
	case revealsSecret([]string{token}):
		err = checkToken(token)
	default:
		err = core.CheckSecret(token)
	}
	if err != nil {
		problems = append(problems, core.Problem{Path: "control.token", Text: err.Error()})
	}
	return problems
}

func checkToken(token string) error {
	if len(token) < minToken {
		return fmt.Errorf("it has fewer than %d characters; make one with: openssl rand -hex 24", minToken)
	}
	return nil
}

// newCommander returns what answers for all rollouts of a registry until ctx ends.
func newCommander(ctx context.Context, config core.Config, g *registry, log *slog.Logger) (*commander, error) {
	problems := checkControl(config)
	if len(problems) > 0 {
		return nil, core.Join(problems)
	}
	answers := control.Handler(func() map[string]*core.Live { return g.running() })
	c := &commander{ctx: ctx, rollouts: newExposition(g, answers)}
	files := &watch.Files{}
	if err := c.readToken(config.Control.Token, files); err != nil {
		return nil, fmt.Errorf("control.token: %w", err)
	}
	g.warnOfControl(config, log)
	go files.Run(ctx, func(path string, err error) {
		if err != nil {
			log.Error("keeping the token of control that was read before", "file", path, "error", err)
		}
	})
	return c, nil
}

// readToken reads the token that a text stands for, from a file again whenever that changes.
func (c *commander) readToken(text string, files *watch.Files) error {
	if file, isFile := strings.CutPrefix(text, "file:"); isFile {
		return files.Add(file, func(content []byte) error { return c.believe(strings.TrimRight(string(content), "\r\n")) })
	}
	token, err := core.ReadSecret(text)
	if err != nil {
		return err
	}
	return c.believe(token)
}

// believe lets those command who bring this token.
func (c *commander) believe(token string) error {
	if err := checkToken(token); err != nil {
		return err
	}
	c.guarded.Store(&guarded{handler: control.Guard(token, c.rollouts)})
	return nil
}
