// Package noop is a plugin for Traefik that does nothing: what interpreting costs by itself.
package noop

import (
	"context"
	"net/http"
)

// Config has no settings.
type Config struct{}

// CreateConfig returns the configuration.
func CreateConfig() *Config { return &Config{} }

type handler struct{ next http.Handler }

// New returns the middleware.
func New(_ context.Context, next http.Handler, _ *Config, _ string) (http.Handler, error) {
	return &handler{next: next}, nil
}

// ServeHTTP passes the request on.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.next.ServeHTTP(w, r) }
