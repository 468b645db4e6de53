package caddymodule

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// specification returns a fingerprint of everything that the handler is configured with. Handlers of one name in one
// configuration must have the same.
func (h *Handler) specification() (string, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("rollout %q: %w", h.Name, err)
	}
	return fingerprint(text), nil
}

// derivedRevision names what is being released where the user does not: the name of the candidate, which is the one that
// the plan names or else the second variant in order, and its routes or the metadata of its upstreams. Other addresses of
// the shared pool are no release.
func derivedRevision(variants []Variant, named string) string {
	if len(variants) < 2 {
		return ""
	}
	inOrder := slices.Clone(variants)
	slices.SortStableFunc(inOrder, func(a, b Variant) int { return cmp.Compare(a.Order, b.Order) })
	candidate := inOrder[1]
	if i := slices.IndexFunc(inOrder, func(v Variant) bool { return v.Name == named }); i > 0 {
		candidate = inOrder[i]
	}
	text, err := json.Marshal(candidate.Routes)
	if len(candidate.Where) > 0 {
		text, err = json.Marshal(candidate.Where)
	}
	if err != nil {
		return "" // loading the routes will say what is wrong
	}
	return fingerprint(append([]byte(candidate.Name+"\x00"), text...))
}

// routeGroup is a name that the Caddyfile adapter gives to a group of routes. It counts them over the whole file, so the
// same text has other numbers in another place.
var routeGroup = regexp.MustCompile(`"group":"group\d+"`)

// fingerprint hashes a configuration's JSON with the groups of routes numbered from where it begins.
func fingerprint(text []byte) string {
	numbers := map[string]int{}
	text = routeGroup.ReplaceAllFunc(text, func(group []byte) []byte {
		name := string(group)
		if _, known := numbers[name]; !known {
			numbers[name] = len(numbers)
		}
		return fmt.Appendf(nil, `"group":%d`, numbers[name])
	})
	sum := sha256.Sum256(bytes.TrimSpace(text))
	return hex.EncodeToString(sum[:8])
}
