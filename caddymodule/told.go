package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/grayling-gateway/grayling/core"
)

// told is the last decision of a rollout on a request, for everything in the configuration that asks. Few requests are
// asked about, so names and values meet only then.
type told struct {
	core.Decision
	keys *keys
	turn *turn // nil unless the shared proxy serves
}

// placeholders returns the rollout's placeholders for a request.
func (k *keys) placeholders(r *http.Request) caddy.ReplacerFunc {
	return func(key string) (any, bool) {
		if key != k.variant && key != k.reason && key != k.rule {
			return nil, false
		}
		t, ok := varsOf(r)[k.told].(*told)
		if !ok {
			return nil, false
		}
		switch key {
		case k.variant:
			return t.Variant, true
		case k.reason:
			return string(t.Reason), true
		}
		return t.Rule, true
	}
}

// field returns the fields of the access log as one, named so that it takes the place of the one before.
func (t *told) field() zap.Field {
	return zap.Field{Key: t.keys.logVariant, Type: zapcore.InlineMarshalerType, Interface: t}
}

// MarshalLogObject writes the fields of the access log.
func (t *told) MarshalLogObject(log zapcore.ObjectEncoder) error {
	log.AddString(t.keys.logVariant, t.Variant)
	log.AddString(t.keys.logReason, string(t.Reason))
	return nil
}
