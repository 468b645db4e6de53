package identity

import (
	"encoding/json"
	"strings"
)

// Claims are what a verified token says, in the order of the calls of [Verifier.Claim]: nil for a claim that it does not
// have. Else the first text is the claim itself, and what follows are the items, if it is a list. The text of a list is
// its first item, that of an object is empty, and that of a number is as the token has it.
type Claims [][]string

// readClaims returns the claims of these paths.
func readClaims(object map[string]any, paths []string) Claims {
	claims := make(Claims, len(paths))
	for i, path := range paths {
		claims[i] = readClaim(find(object, path), path)
	}
	return claims
}

// find returns what stands under a dotted path, or nil. Names may have dots themselves, as in https://example.com/roles:
// the fewest levels win.
func find(object map[string]any, path string) any {
	if value, ok := object[path]; ok {
		return value
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if value := find(inner, path[i+1:]); value != nil {
				return value
			}
		}
	}
	return nil
}

func readClaim(value any, path string) []string {
	if value == nil {
		return nil
	}
	if list, ok := value.([]any); ok {
		return readList(list)
	}
	text := scalar(value)
	if path == "scope" || path == "scp" { // RFC 8693, section 4.2: a list with blanks in between
		return append([]string{text}, strings.Fields(text)...)
	}
	return []string{text}
}

func readList(list []any) []string {
	claim := []string{""}
	for _, element := range list {
		switch element.(type) {
		case string, json.Number, bool:
			claim = append(claim, scalar(element))
		}
	}
	if len(claim) > 1 {
		claim[0] = claim[1]
	}
	return claim
}

// scalar returns a text, a number or a truth value as text, and "" for an object.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}
