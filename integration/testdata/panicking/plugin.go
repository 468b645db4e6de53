// Package panicking is Grayling's plugin with a condition that panics.
package panicking

import (
	"context"
	"net/http"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/traefikplugin"
)

// CreateConfig returns an empty configuration.
func CreateConfig() *core.Config { return traefikplugin.CreateConfig() }

// New returns the middleware. Its rule "broken" panics for requests with the header X-Panic, and matches no other.
func New(ctx context.Context, next http.Handler, config *core.Config, middleware string) (http.Handler, error) {
	broken := func(r *http.Request) bool {
		if r.Header.Get("X-Panic") != "" {
			panic("the condition is broken")
		}
		return false
	}
	return traefikplugin.NewFor(ctx, next, config, middleware, core.Host{
		Conditions: map[string]func(*http.Request) bool{"broken": broken},
	})
}
