package analysis

import (
	"testing"
	"time"
)

func TestWeeksTakeLittleMoreMemoryThanHours(t *testing.T) { runFor(t, 14*24*time.Hour, 170) }
