package analysis

import (
	"go/token"
	"math"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Conditions have three values, and verdicts stand for them: pass is true, fail is false, and hold is unknown. They are
// combined as in Kleene's strong logic of indeterminacy: what is known is what no knowledge of the rest could change.

func not(v rollout.Verdict) rollout.Verdict {
	switch v {
	case rollout.Pass:
		return rollout.Fail
	case rollout.Fail:
		return rollout.Pass
	}
	return rollout.Hold
}

func and(v, w rollout.Verdict) rollout.Verdict {
	if v == rollout.Fail || w == rollout.Fail {
		return rollout.Fail
	}
	if v == rollout.Pass && w == rollout.Pass {
		return rollout.Pass
	}
	return rollout.Hold
}

func or(v, w rollout.Verdict) rollout.Verdict { return not(and(not(v), not(w))) }

func truth(known, is bool) rollout.Verdict {
	if !known {
		return rollout.Hold
	}
	if is {
		return rollout.Pass
	}
	return rollout.Fail
}

// number is a value of arithmetic. The zero value is an unknown one.
type number struct {
	value float64
	known bool
}

// numberOf returns a number that is known if it is one: neither infinite, as a quotient by zero is, nor NaN.
func numberOf(x float64) number {
	return number{value: x, known: !math.IsNaN(x) && !math.IsInf(x, 0)}
}

// numberIf returns a number of which somebody says whether it is known.
func numberIf(x float64, known bool) number {
	if !known {
		return number{}
	}
	return numberOf(x)
}

func arithmetic(op token.Token, x, y number) number {
	if !x.known || !y.known {
		return number{}
	}
	switch op {
	case token.ADD:
		return numberOf(x.value + y.value)
	case token.SUB:
		return numberOf(x.value - y.value)
	case token.MUL:
		return numberOf(x.value * y.value)
	}
	return numberOf(x.value / y.value)
}

func related(op token.Token, x, y float64) bool {
	switch op {
	case token.LSS:
		return x < y
	case token.LEQ:
		return x <= y
	case token.GTR:
		return x > y
	case token.GEQ:
		return x >= y
	case token.EQL:
		return x == y
	}
	return x != y
}
