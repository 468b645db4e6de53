//go:build !race

package caddymodule

import "testing"

// TestManyMirrorsLeaveNothingBehind is TestMirrorLeavesNothingBehind for more copies than the race detector has time for.
func TestManyMirrorsLeaveNothingBehind(t *testing.T) { mirrorLeavesNothingBehind(t, 100_000) }
