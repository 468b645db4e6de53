package expr

import (
	"go/ast"
	"strings"
)

// claim checks the path that claim() was called with.
func (c *checker) claim(call *ast.CallExpr, path string) *value {
	if c.host.Claim == nil {
		c.fail(call.Pos(), "claim() reads verified tokens, and none are verified here: say how in jwt")
		return nil
	}
	if path == "" || strings.Trim(path, ".") != path {
		c.fail(call.Args[0].Pos(), `%q is not the path of a claim such as "role" or "realm_access.roles"`, path)
		return nil
	}
	return &value{source: fromClaim, name: path, index: c.host.Claim(path), claims: c.host.Claims}
}

// isClaim reports whether the value is a claim, whose items may be any texts.
func (v *value) isClaim() bool {
	return v.source == fromClaim || v.source == fromLowered && v.plain.isClaim()
}

// readClaim returns the text of a claim.
func readClaim(v *value, in *Input) (string, bool) {
	claim := claimOf(v, in)
	if claim == nil {
		return "", false
	}
	return claim[0], true
}

// claimOf returns a claim, or nil. The token is verified when the first claim is read.
func claimOf(v *value, in *Input) []string {
	if in.claims != nil {
		return in.claims[v.index]
	}
	return firstClaim(v, in)
}

func firstClaim(v *value, in *Input) []string {
	if in.claimed {
		return nil
	}
	in.claimed = true
	in.claims = v.claims(in.Request)
	if in.claims == nil {
		return nil
	}
	return in.claims[v.index]
}

// Unclaimed reports whether claims were asked for, and the request has none that are verified.
func Unclaimed(in *Input) bool { return in.claimed && in.claims == nil }

// claimHas reports whether item is among the items of a claim that is a list, or is the claim.
func claimHas(claim []string, item string, lower bool) bool {
	if len(claim) > 1 {
		claim = claim[1:]
	}
	for _, text := range claim {
		if lower {
			text = strings.ToLower(text)
		}
		if text == item {
			return true
		}
	}
	return false
}
