//go:build !race

package core

import "testing"

// TestManyExplanationsAgree is TestExplanationsAgree for more configurations than an interpreter has time for.
func TestManyExplanationsAgree(t *testing.T) { explanationsAgree(t, 300) }
