package analysis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number returns what a part of a check is worth.
func (e *evaluation) number(n *node) number {
	switch n.kind {
	case constant:
		return numberOf(n.number)
	case operation:
		left := e.number(n.left)
		right := e.number(n.right)
		return arithmetic(n.op, left, right)
	}
	v := e.measured(n)
	if v.known {
		e.saw = append(e.saw, n.text+" is "+rounded(v.value))
		e.figures[e.figure(n)] = v.value
	} else {
		e.saw = append(e.saw, n.text+" is not known")
	}
	return v
}

// measured returns what a function was measured to be.
func (e *evaluation) measured(n *node) number {
	switch n.kind {
	case requestCount:
		return numberOf(float64(e.window.to().arms[n.variant].requests))
	case mirrorMismatch:
		m, known := e.mirrored(n.variant)
		return numberIf(m.Share, known)
	case conversionRate:
		reached, clients, known := e.converted(n)
		return numberIf(float64(reached)/float64(clients), known)
	case prometheusAnswer:
		answer, known := e.look.Prometheus[n.name]
		return numberIf(answer, known)
	case latencyMS:
		s := e.window.sample(n.variant)
		if s.answered() < answersFor(n.number, e.checks.settings.MinRequests) {
			return number{}
		}
		return numberOf(milliseconds(s.quantile(n.number)))
	}
	s := e.window.sample(n.variant)
	if s.requests() < e.checks.settings.MinRequests {
		return number{}
	}
	rate := float64(s.failures()) / float64(s.requests())
	if n.kind == successRate {
		rate = float64(s.requests()-s.failures()) / float64(s.requests())
	}
	return numberOf(rate)
}

// figure returns the name under which what is measured is told.
func (e *evaluation) figure(n *node) string {
	variant := ""
	if n.isOfVariant() {
		variant = e.checks.settings.Variants[n.variant] + "_"
	}
	switch n.kind {
	case successRate:
		return variant + "success_rate"
	case errorRate:
		return variant + "error_rate"
	case latencyMS:
		return variant + "p" + strings.ReplaceAll(strconv.FormatFloat(100*n.number, 'g', 6, 64), ".", "_") + "_ms"
	case requestCount:
		return variant + "requests_of_step"
	case mirrorMismatch:
		return variant + "mirror_mismatch"
	case conversionRate:
		return variant + "conversion_" + n.name
	}
	for i, query := range e.checks.queries {
		if query == n.name {
			return "prometheus_" + strconv.Itoa(i+1)
		}
	}
	return "prometheus"
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// duration returns a limit in milliseconds as a time, or the longest there is.
func duration(milliseconds float64) time.Duration {
	if d := milliseconds * float64(time.Millisecond); d < math.MaxInt64 {
		return time.Duration(d)
	}
	return math.MaxInt64
}

// rounded returns a number with four digits, or all those before the point: nobody reads latencies such as 1.2e+04.
func rounded(x float64) string {
	if math.Abs(x) >= 9999.5 && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return fmt.Sprintf("%.4g", x)
}
