package interpreted

import "testing"

func TestCompiledOnly(t *testing.T) {
	for i := range 3 {
		_ = i
	}
}
