package balance

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Upstream is an address that can serve requests.
type Upstream struct {
	// Name is the address, in the words of the gateway that dials it. Unique in a pool.
	Name string

	// Weight is the upstream's share of a pool, relative to the others'. 0: it is drained, and gets no request.
	Weight int

	// Metadata are the pairs by which a variant and a subset select upstreams. Empty: none select it.
	Metadata map[string]string
}

// MaxWeight is the largest weight of an upstream, which is also the largest of an SRV record (RFC 2782).
const MaxWeight = 65535

// ParseUpstream reads an upstream as users write it in every gateway,
//
//	<address> [weight=<n>] [<key>=<value>...]
//
// such as "10.0.0.1:8080 weight=9 version=v1 zone=eu". Without a weight it is 1. The address is whatever stands first:
// whether it can be dialed is for the gateway to say.
func ParseUpstream(text string) (Upstream, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Upstream{}, fmt.Errorf("an upstream needs an address, and may have a weight and metadata: 10.0.0.1:8080 weight=9 version=v1")
	}
	u := Upstream{Name: words[0], Weight: 1}
	if strings.Contains(u.Name, "=") && !strings.Contains(u.Name, "://") {
		return Upstream{}, fmt.Errorf("%q stands where the address belongs, which comes first: 10.0.0.1:8080 weight=9 version=v1", u.Name)
	}
	weighed := false
	for _, word := range words[1:] {
		key, value, isPair := strings.Cut(word, "=")
		if !isPair {
			return Upstream{}, fmt.Errorf("%q is neither weight=<n> nor <key>=<value>", word)
		}
		if key == "weight" {
			if weighed {
				return Upstream{}, fmt.Errorf("weight is given twice")
			}
			weighed = true
			weight, err := strconv.Atoi(value)
			if err != nil {
				return Upstream{}, notWeight(value)
			}
			u.Weight = weight
			continue
		}
		if _, isThere := u.Metadata[key]; isThere {
			return Upstream{}, fmt.Errorf("%s is given twice", key)
		}
		if u.Metadata == nil {
			u.Metadata = map[string]string{}
		}
		u.Metadata[key] = value
	}
	return u, u.Check()
}

// Check returns what is wrong with the weight or the metadata; nil if nothing is.
func (u Upstream) Check() error {
	if u.Weight < 0 || u.Weight > MaxWeight {
		return notWeight(strconv.Itoa(u.Weight))
	}
	for key, value := range u.Metadata {
		if err := CheckPair(key, value); err != nil {
			return err
		}
	}
	return nil
}

func notWeight(text string) error {
	return fmt.Errorf("%q is not the weight of an upstream: a whole number from 0, which drains it, to %d", text, MaxWeight)
}

// CheckPair returns what is wrong with a pair of metadata; nil if nothing is.
func CheckPair(key, value string) error {
	switch {
	case key == "":
		return fmt.Errorf("%q has no key: write <key>=<value>", "="+value)
	case key == "weight":
		return fmt.Errorf("weight is the upstream's share and cannot be metadata: choose another key")
	case strings.ContainsAny(key, "=") || strings.IndexFunc(key, blank) >= 0:
		return fmt.Errorf("%q is not a key of metadata: it has no blanks and no =", key)
	case value == "":
		return fmt.Errorf("%s has no value: leave it out, for a request without a value is not narrowed down", key)
	case strings.IndexFunc(value, blank) >= 0:
		return fmt.Errorf("%s: the value %q has blanks", key, value)
	}
	return nil
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
