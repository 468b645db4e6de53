package caddymodule

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/grayling-gateway/grayling/core"
)

// told is the last decision of a rollout on a request, for everything in the configuration that asks. Few requests are
// asked about, so names and values meet only then.
type told struct {
	core.Decision
	keys *keys
}

// placeholder returns the value of one of the rollout's placeholders.
func (t *told) placeholder(key string) (any, bool) {
	switch key {
	case t.keys.variant:
		return t.Variant, true
	case t.keys.reason:
		return string(t.Reason), true
	case t.keys.rule:
		return t.Rule, true
	}
	return nil, false
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
