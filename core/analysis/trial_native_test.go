package analysis

import (
	"testing"
	"time"
)

func TestDaysTakeLittleMoreMemoryThanHours(t *testing.T) { runFor(t, 4*24*time.Hour, 150) }
