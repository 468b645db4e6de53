package analysis

import (
	"testing"
	"time"
)

// The benchmarks run compiled and interpreted ("make bench").

func BenchmarkAnswered(b *testing.B) {
	a := NewArm()
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		Answered(a, false, time.Duration(i))
	}
}

func BenchmarkSnapshot(b *testing.B) {
	a := NewArm()
	Answered(a, false, time.Second)
	for i := 0; i < b.N; i++ {
		a.snapshot()
	}
}
