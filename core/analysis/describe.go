package analysis

import (
	"go/token"
)

// Description is a check for people to see.
type Description struct {
	Text   string  `json:"text"`             // as it was written; what && joins are several
	Limits []Limit `json:"limits,omitempty"` // of rates and latencies in it
}

// Limit is what a rate or a latency is compared with.
type Limit struct {
	Of       string  `json:"of"` // error_rate or mirror_mismatch, from 0 to 1, or latency_ms
	Variant  string  `json:"variant"`
	Quantile float64 `json:"quantile,omitempty"` // of a latency
	Op       string  `json:"op"`                 // what keeps the limit: < <= > >=
	Value    float64 `json:"value"`
}

// Describe returns the checks in their order. A limit of a rate of success is told as one of failure.
func (c *Checks) Describe() []Description {
	all := make([]Description, 0, len(c.checks))
	for _, one := range c.checks {
		all = append(all, Description{Text: one.text, Limits: c.limits(one.root, false)})
	}
	return all
}

// limits returns those in a part of a check, which is negated or not.
func (c *Checks) limits(n *node, negated bool) []Limit {
	if n == nil {
		return nil
	}
	if n.kind == negation {
		return c.limits(n.left, !negated)
	}
	if n.kind != limited {
		found := c.limits(n.left, negated)
		found = append(found, c.limits(n.right, negated)...)
		return found
	}
	l := Limit{Of: "error_rate", Variant: c.settings.Variants[n.left.variant], Op: n.op.String(), Value: n.number}
	switch n.left.kind {
	case latencyMS:
		l.Of = "latency_ms"
		l.Quantile = n.left.number
	case mirrorMismatch:
		l.Of = "mirror_mismatch"
	}
	if negated {
		l.Op = opposite(n.op).String()
	}
	return []Limit{l}
}

// opposite returns the operator that is true where another is not.
func opposite(op token.Token) token.Token {
	switch op {
	case token.LEQ:
		return token.GTR
	case token.LSS:
		return token.GEQ
	}
	return op
}
