package expr

import "strconv"

// maxExact is the largest integer up to which a float64 holds every integer.
const maxExact = 1 << 53

// number reads a decimal number: an optional sign, digits, an optional fraction and an optional exponent. Infinities,
// NaN, hexadecimal and underscores, which strconv would take, are not numbers that a client should be able to send.
func number(text string) (float64, bool) {
	if text == "" || len(text) > 64 {
		return 0, false
	}
	if c := text[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return 0, false // most texts are no numbers: spare them the error that strconv would build
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '-', c == '+':
		default:
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}
