package identity

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	maxToken        = 16 << 10 // bytes
	maxHeaderValues = 64       // what a header may hold before anybody has signed for it
	maxClaimValues  = maxToken
)

// token is one in the compact form (RFC 7515, section 7.1), taken apart.
type token struct {
	algorithm string
	keyID     string
	input     string // what the signature is of
	payload   string // encoded
	signature []byte
}

// parseToken takes a token apart. The payload is not looked at before the signature was verified.
func parseToken(text string) (token, Cause) {
	var t token
	if len(text) > maxToken {
		return t, TooLong
	}
	parts := strings.Split(text, ".")
	if len(parts) == 5 { // RFC 7516, section 9
		return t, Unsupported
	}
	if len(parts) != 3 {
		return t, Malformed
	}
	signature, err := decodeSegment(parts[2])
	if err != nil {
		return t, Malformed
	}
	content, err := decodeSegment(parts[0])
	if err != nil {
		return t, Malformed
	}
	header, err := parseObject(content, maxHeaderValues)
	if err != nil {
		return t, Malformed
	}
	t.signature = signature
	t.payload = parts[1]
	t.input = text[:len(parts[0])+1+len(parts[1])]
	t.algorithm = textOf(header, "alg")
	cause := checkHeader(header)
	if cause != Verified {
		return t, cause
	}
	t.keyID, err = keyID(header)
	if err != nil {
		return t, Malformed
	}
	return t, Verified
}

// notUnderstood are members of a header that change what a token is. A token with "crit" demands that something is
// understood (RFC 7515, section 4.1.11), "b64" is RFC 7797, "enc" and "zip" belong to encryption (RFC 7516), and "jwk" is
// a key that proves nothing (RFC 8725, section 3.10). Other members, such as "jku" and "x5c", are ignored.
var notUnderstood = []string{"crit", "b64", "enc", "zip", "jwk"}

// checkHeader: RFC 7515, section 4.1.
func checkHeader(header map[string]any) Cause {
	for _, name := range notUnderstood {
		if _, has := header[name]; has {
			return Unsupported
		}
	}
	for _, name := range []string{"alg", "typ", "cty"} {
		if value, has := header[name]; has {
			if _, ok := value.(string); !ok {
				return Malformed
			}
		}
	}
	content := strings.ToUpper(textOf(header, "cty"))
	if strings.TrimPrefix(content, "APPLICATION/") == "JWT" { // nested: RFC 7519, section 5.2
		return Unsupported
	}
	return Verified
}

// registered checks the claims of RFC 7519, section 4.1, and returns the time, in Unix seconds, from and until which they
// hold. The token says when it expires, as those of OpenID Connect and RFC 9068 do: what never expires cannot be taken
// back.
func registered(claims map[string]any, settings Settings) (from, until int64, cause Cause) {
	for _, name := range []string{"iss", "sub", "jti"} {
		if value, has := claims[name]; has {
			if _, ok := value.(string); !ok {
				return 0, 0, Malformed
			}
		}
	}
	leeway := int64(settings.Leeway / time.Second)
	until, cause = seconds(claims, "exp", math.MinInt64)
	if cause != Verified {
		return 0, 0, cause
	}
	if until == math.MinInt64 {
		return 0, 0, Expired
	}
	until += leeway
	for _, name := range []string{"nbf", "iat"} { // nothing is issued in the future
		begin, cause := seconds(claims, name, 0)
		if cause != Verified {
			return 0, 0, cause
		}
		if begin-leeway > from {
			from = begin - leeway
		}
	}
	if settings.Issuer != "" && textOf(claims, "iss") != settings.Issuer {
		return 0, 0, Issuer
	}
	return from, until, checkAudience(claims, settings.Audience)
}

// seconds reads a NumericDate (RFC 7519, section 2); missing stands for one that is not there. Fractions are dropped.
func seconds(claims map[string]any, name string, missing int64) (int64, Cause) {
	value, has := claims[name]
	if !has {
		return missing, Verified
	}
	number, ok := value.(json.Number)
	if !ok {
		return 0, Malformed
	}
	n, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || math.Abs(n) > 1<<40 { // 34,800 years
		return 0, Malformed
	}
	return int64(math.Floor(n)), Verified
}

// checkAudience: RFC 7519, section 4.1.3. Without an expectation any will do.
func checkAudience(claims map[string]any, expected []string) Cause {
	value, has := claims["aud"]
	var audience []string
	if text, ok := value.(string); ok {
		audience = append(audience, text)
	} else if list, ok := value.([]any); ok {
		for _, element := range list {
			text, ok := element.(string)
			if !ok {
				return Malformed
			}
			audience = append(audience, text)
		}
	} else if has {
		return Malformed
	}
	for _, wanted := range expected {
		for _, name := range audience {
			if name == wanted {
				return Verified
			}
		}
	}
	if len(expected) > 0 {
		return Audience
	}
	return Verified
}
