package balance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Upstream is an address that can serve requests.
type Upstream struct {
	// Name is the address, in the words of the gateway that dials it. Unique in a pool.
	Name string

	// Weight is the upstream's share of the pool, in proportion to the others' weights. 0 drains it: it gets no requests.
	Weight int

	// Metadata are the pairs by which variants and requests select upstreams. Nil: nothing selects it.
	Metadata map[string]string
}

// MaxWeight is the largest weight of an upstream. SRV records (RFC 2782) have the same.
const MaxWeight = 65535

// ParseUpstream reads an upstream as it is written in every gateway,
//
//	<address> [weight=<n>] [<key>=<value>...]
//
// such as "10.0.0.1:8080 weight=9 version=v1 zone=eu". Without a weight it is 1. The address is whatever comes first:
// whether it can be dialed is for the gateway to say.
func ParseUpstream(text string) (Upstream, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Upstream{}, errors.New("an upstream needs an address: write one such as 10.0.0.1:8080 weight=9 version=v1")
	}
	u := Upstream{Name: words[0], Weight: 1}
	if strings.Contains(u.Name, "=") && !strings.Contains(u.Name, "://") {
		return Upstream{}, fmt.Errorf("%q stands where the address belongs: it comes first, as in 10.0.0.1:8080 weight=9 version=v1", u.Name)
	}
	seen := map[string]bool{}
	for _, word := range words[1:] {
		key, value, isPair := strings.Cut(word, "=")
		if !isPair {
			return Upstream{}, fmt.Errorf("%q is neither weight=<n> nor <key>=<value>: an upstream has one address, and values have no blanks", word)
		}
		if seen[key] {
			return Upstream{}, fmt.Errorf("%s is given twice", key)
		}
		seen[key] = true
		if err := u.set(key, value); err != nil {
			return Upstream{}, err
		}
	}
	return u, nil
}

func (u *Upstream) set(key, value string) error {
	if key == "weight" {
		weight, err := ParseUpstreamWeight(value)
		u.Weight = weight
		return err
	}
	if u.Metadata == nil {
		u.Metadata = map[string]string{}
	}
	u.Metadata[key] = value
	return CheckMetadata(key, value)
}

// ParseUpstreamWeight reads the weight of an upstream: a whole number from 0 to [MaxWeight].
func ParseUpstreamWeight(text string) (int, error) {
	weight, err := strconv.ParseUint(text, 10, 32)
	if err != nil || weight > MaxWeight {
		return 0, fmt.Errorf("%q is not the weight of an upstream: write a whole number from 0, which drains it, to %d", text, MaxWeight)
	}
	return int(weight), nil
}

// CheckMetadata returns what is wrong with a pair of metadata; nil if nothing is.
func CheckMetadata(key, value string) error {
	switch {
	case key == "weight":
		return errors.New("weight is the upstream's share of the pool, and no metadata: choose another key")
	case key == "" || strings.ContainsRune(key, '=') || !isWord(key):
		return fmt.Errorf("%q is not a key of metadata: write a word without an equals sign", key)
	case value == "":
		return fmt.Errorf("%s has no value: leave it out, as no request can ask for that", key)
	case !isWord(value):
		return fmt.Errorf("%s: %q is not one word, and so could not be written in every gateway", key, value)
	}
	return nil
}

// isWord reports whether a text has neither blanks nor what cannot be printed.
func isWord(text string) bool {
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(text)
}
