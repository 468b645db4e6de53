package expr

import (
	"strconv"
	"strings"
)

// maxExact is the largest integer up to which a float64 holds every integer.
const maxExact = 1 << 53

// number reads a decimal number: an optional sign, digits, an optional fraction and an optional exponent. Infinities,
// NaN, hexadecimal and underscores, which strconv would take, are not numbers that a client should be able to send.
func number(text string) (float64, bool) {
	if text == "" || len(text) > 64 {
		return 0, false
	}
	if strings.Trim(text, "0123456789.eE+-") != "" { // most texts are no numbers: spare them the error that strconv would build
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}
