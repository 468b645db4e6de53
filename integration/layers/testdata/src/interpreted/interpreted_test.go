package interpreted

import "testing"

func TestSubtests(t *testing.T) {
	for _, word := range []string{"a", "b"} {
		t.Run(word, func(t *testing.T) {
			if word == "" {
				t.Error("empty")
			}
		})
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			if word == "" { // want `loop variable word in a function literal`
				t.Error("empty")
			}
		})
	}
}
