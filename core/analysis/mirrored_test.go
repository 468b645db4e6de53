package analysis

import (
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// TestDarkStep: where the candidate gets copies only, what looks at requests does not hold; what it finds counts.
func TestDarkStep(t *testing.T) {
	look := Look{Number: 1, Dark: true}
	look.Mirror = func(_ string) Mirrored { return Mirrored{Compared: 100} }
	mirror := `mirror_mismatch("canary") <= 0.01`
	for check, want := range map[string]rollout.Verdict{
		mirror:                                  rollout.Pass,
		mirror + ` && !worse("canary")`:         rollout.Pass,
		mirror + ` && requests("canary") >= 10`: rollout.Pass,
		mirror + ` && prometheus("up") == 1`:    rollout.Hold,
		`!worse("canary")`:                      rollout.Hold,
	} {
		if result := parsed(t, check).Evaluate(newTrial(), look); result.Verdict != want {
			t.Errorf("%s: %s, want %s: %s", check, string(result.Verdict), string(want), result.Reason)
		}
	}
	look.Dark = false
	if result := parsed(t, mirror+` && !worse("canary")`).Evaluate(newTrial(), look); result.Verdict != rollout.Hold {
		t.Errorf("with traffic: %s: %s", string(result.Verdict), result.Reason)
	}
}
