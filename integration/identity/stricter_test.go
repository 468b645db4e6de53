package identity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// strictness is a reason to refuse what both libraries accept. docs/identity.md says the same in words.
type strictness struct {
	what    string
	applies func(token string) bool
}

// stricter is the whole list. Each is found by reading the token in another way than core/identity does.
var stricter = []strictness{
	{"longer than 16 KiB", func(token string) bool { return len(token) > 16<<10 }},
	{"base64 that can be written in another way", func(token string) bool {
		for part := range strings.SplitSeq(token, ".") {
			content, _ := base64.RawURLEncoding.DecodeString(part)
			if base64.RawURLEncoding.EncodeToString(content) != part {
				return true
			}
		}
		return false
	}},
	{"bytes that are not UTF-8", func(token string) bool { return !utf8.Valid(part(token, 0)) || !utf8.Valid(part(token, 1)) }},
	{"more than 64 values in a header", func(token string) bool { return strings.Count(string(part(token, 0)), ",") >= 64 }},
	{"nested more than 32 deep", func(token string) bool {
		return strings.Contains(string(part(token, 0))+string(part(token, 1)), strings.Repeat("[", 30))
	}},
	{"a member that occurs twice, deeper than the top level", func(token string) bool {
		return strings.Contains(string(part(token, 0))+string(part(token, 1)), `{"y":1,"y":2}`)
	}},
	{"a header that changes what a token is: crit, b64, enc, zip, jwk", func(token string) bool {
		return has(token, 0, "crit") || has(token, 0, "b64") || has(token, 0, "enc") || has(token, 0, "zip") || has(token, 0, "jwk")
	}},
	{"a content type that says that a token is in the token", func(token string) bool {
		return strings.HasSuffix(strings.ToLower(fmt.Sprint(object(token, 0)["cty"])), "jwt")
	}},
	{"typ or cty that is no text", func(token string) bool { return wrong(token, 0, "typ") || wrong(token, 0, "cty") }},
	{"a kid that is empty, long, of control characters or no text", func(token string) bool {
		kid, ok := object(token, 0)["kid"].(string)
		return has(token, 0, "kid") && (!ok || kid == "" || len(kid) > 256 || strings.ContainsAny(kid, "\x00\x1f\x7f"))
	}},
	{"no expiry", func(token string) bool { return !has(token, 1, "exp") }},
	{"a time that no clock will show", func(token string) bool {
		for _, name := range []string{"exp", "nbf", "iat"} {
			if seconds, ok := object(token, 1)[name].(float64); ok && math.Abs(seconds) > 1e12 {
				return true
			}
		}
		return false
	}},
	{"a registered claim that is null", func(token string) bool {
		for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
			if value, ok := object(token, 1)[name]; ok && value == nil {
				return true
			}
		}
		return false
	}},
	{"PSS with a salt of another length than the hash", func(token string) bool { return strings.HasPrefix(fmt.Sprint(object(token, 0)["alg"]), "PS") }},
}

// part decodes a part of a token, or returns nil.
func part(token string, i int) []byte {
	parts := strings.Split(token, ".")
	if i >= len(parts) {
		return nil
	}
	content, _ := base64.RawURLEncoding.DecodeString(parts[i])
	return content
}

func object(token string, i int) map[string]any {
	var object map[string]any
	_ = json.Unmarshal(part(token, i), &object) // nil if it is none
	return object
}

func has(token string, i int, name string) bool {
	_, ok := object(token, i)[name]
	return ok
}

// wrong reports whether a member is there and no text.
func wrong(token string, i int, name string) bool {
	_, ok := object(token, i)[name].(string)
	return has(token, i, name) && !ok
}
