package analysis

import (
	"go/token"
	"math"
	"testing"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/rollout"
)

var verdicts = []rollout.Verdict{rollout.Pass, rollout.Fail, rollout.Hold}

// known lists what an unknown condition may turn out to be.
func known(v rollout.Verdict) []rollout.Verdict {
	if v == rollout.Hold {
		return []rollout.Verdict{rollout.Pass, rollout.Fail}
	}
	return []rollout.Verdict{v}
}

// settled is what a connective says whatever its unknown operands turn out to be, or hold if that depends on them.
func settled(v, w rollout.Verdict, connective func(a, b bool) bool) rollout.Verdict {
	result := rollout.Verdict("")
	for _, a := range known(v) {
		for _, b := range known(w) {
			is := truth(true, connective(a == rollout.Pass, b == rollout.Pass))
			if result != "" && result != is {
				return rollout.Hold
			}
			result = is
		}
	}
	return result
}

func TestKnownIsWhatNoKnowledgeOfTheRestCouldChange(t *testing.T) {
	for _, v := range verdicts {
		for _, w := range verdicts {
			if got, want := and(v, w), settled(v, w, func(a, b bool) bool { return a && b }); got != want {
				t.Errorf("%s && %s is %s, want %s", string(v), string(w), string(got), string(want))
			}
			if got, want := or(v, w), settled(v, w, func(a, b bool) bool { return a || b }); got != want {
				t.Errorf("%s || %s is %s, want %s", string(v), string(w), string(got), string(want))
			}
			if got, want := not(v), settled(v, v, func(a, b bool) bool { return !a }); got != want {
				t.Errorf("!%s is %s, want %s", string(v), string(got), string(want))
			}
		}
	}
}

func TestArithmeticOfWhatIsUnknownIsUnknown(t *testing.T) {
	unknown := []number{{}, numberOf(math.NaN()), numberOf(math.Inf(1)), numberIf(1, false)}
	for _, op := range []token.Token{token.ADD, token.SUB, token.MUL, token.QUO} {
		for i, x := range unknown {
			if arithmetic(op, x, numberOf(1)).known || arithmetic(op, numberOf(1), x).known {
				t.Errorf("1 %s unknown number %d is known", op.String(), i)
			}
		}
	}
	if arithmetic(token.QUO, numberOf(1), numberOf(0)).known || arithmetic(token.QUO, numberOf(0), numberOf(0)).known {
		t.Error("a quotient by zero is known")
	}
	if arithmetic(token.MUL, numberOf(math.MaxFloat64), numberOf(2)).known {
		t.Error("what is too large is known")
	}
}

func TestMirroredComparisonsSayTheSame(t *testing.T) {
	for _, op := range []token.Token{token.LSS, token.LEQ, token.GTR, token.GEQ, token.EQL, token.NEQ} {
		for _, x := range []float64{1, 2} {
			for _, y := range []float64{1, 2} {
				if related(op, x, y) != related(expr.Mirrored(op), y, x) {
					t.Errorf("%g %s %g is not what %g %s %g is", x, op.String(), y, y, expr.Mirrored(op).String(), x)
				}
			}
		}
	}
}
