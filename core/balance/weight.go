// Package balance divides clients among variants.
//
// # The line of slots
//
// A client's key, with a salt, falls on one of 65,536 slots of a line:
//
//	slot = first two bytes, big-endian, of SHA-256(salt + "\x00" + key)
//
// Every variant owns a range of the line. The candidate owns [0, c); further variants own, in declared order, ranges
// from 65,536 downwards; the baseline owns what is left in the middle. So shares are exact to one slot, a change of the
// candidate's weight moves exactly the difference and only between candidate and baseline, and two salts are
// independent of each other. docs/assignment.md describes the same rule for people, SQL and Python.
package balance

import (
	"errors"
	"fmt"
	"strings"
)

// Slots is the length of the line.
const Slots = 65536

// Weight is a share of traffic in millionths of a percent: exact for the six decimals that a configuration may have.
type Weight int64

// Full is 100%.
const Full Weight = 100_000_000

const decimals = 6

// ErrWeight is what every error of [ParseWeight] wraps.
var ErrWeight = errors.New("not a weight")

// ParseWeight reads a percentage: digits, optionally a point and one to six digits, optionally a percent sign. "5",
// "5%" and "5.0" are the same. More than 100%, and more than nothing but less than one slot (100/65536, about
// 0.001526%), are errors.
func ParseWeight(text string) (Weight, error) {
	number := strings.TrimSuffix(text, "%")
	whole, fraction, point := strings.Cut(number, ".")
	if !digits(whole) || point && (!digits(fraction) || len(fraction) > decimals) {
		return 0, fmt.Errorf(`%w: %q (write a percentage such as 5, 5%% or 0.25%%, with at most six decimals)`, ErrWeight, text)
	}
	w := Weight(0)
	for _, digit := range whole + fraction + strings.Repeat("0", decimals-len(fraction)) {
		w = w*10 + Weight(digit-'0')
		if w > Full {
			return 0, fmt.Errorf("%w: %q is more than 100%%", ErrWeight, text)
		}
	}
	if w > 0 && w*Slots < Full {
		return 0, fmt.Errorf("%w: %q is less than one slot of 65,536; the smallest share is 0.001526%%", ErrWeight, text)
	}
	return w, nil
}

func digits(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// Slots returns how many slots the weight is, rounded half up.
func (w Weight) Slots() int { return int((w*Slots + Full/2) / Full) }

// String returns the weight as a percentage, such as "0.25%".
func (w Weight) String() string {
	text := fmt.Sprintf("%d.%06d", int64(w/1_000_000), int64(w%1_000_000))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}
