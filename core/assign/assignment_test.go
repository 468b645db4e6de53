package assign

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestTerms(t *testing.T) {
	at := noon.UnixMilli()
	for _, test := range []struct {
		text string
		want int64
	}{
		{"300s", at + 300_000},
		{"1ms", at + 1},
		{"24h", at + 86_400_000},
		{"2026-11-21T14:00:00Z", at + 7_200_000},
		{"2026-11-21T14:00:00.250+02:00", at + 250},
		{"2026-11-21T11:00:00Z", at - 3_600_000},
		{"1969-01-01T00:00:00Z", 0},
		{"rollout", Never},
		{"2562047h", at + 2562047*3_600_000},
	} {
		term, err := ParseTerm(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if got := term.Expires(noon); got != test.want || term.String() != test.text {
			t.Errorf("%s: ends at %d, want %d; written %q", test.text, got, test.want, term.String())
		}
	}
	far, err := ParseTerm("2562047h")
	if got := far.Expires(time.UnixMilli(Never - 1)); err != nil || got != Never {
		t.Errorf("a term beyond all that a cookie can hold ends at %d: %v", got, err)
	}
	for _, text := range []string{"", "0", "0s", "-5m", "1us", "5", "tomorrow", "2026-11-21", "Rollout", "300 s"} {
		if _, err := ParseTerm(text); err == nil || !strings.Contains(err.Error(), "300s") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
