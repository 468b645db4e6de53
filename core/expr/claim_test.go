package expr

import (
	"net/http"
	"testing"
)

// tokenHost is a gateway whose tokens are named by the header X-Token, and that counts how often it is asked.
func tokenHost(asked *int) Host {
	var paths []string
	tokens := map[string]map[string][]string{
		"staff": {"role": {"admin"}, "groups": {"a", "a", "B", "c, d"}, "level": {"12"}, "none": {""}},
		"empty": {},
	}
	return Host{
		Claim: func(path string) int {
			paths = append(paths, path)
			return len(paths) - 1
		},
		Claims: func(r *http.Request) [][]string {
			*asked++
			claims, ok := tokens[r.Header.Get("X-Token")]
			if !ok {
				return nil
			}
			list := make([][]string, len(paths))
			for i, path := range paths {
				list[i] = claims[path]
			}
			return list
		},
	}
}

func TestClaims(t *testing.T) {
	for _, c := range []struct {
		condition          string
		staff, empty, none bool // for requests with these tokens, and with none
	}{
		{`claim("role") == "admin"`, true, false, false},
		{`claim("role") != "admin"`, false, true, true},
		{`claim("role").exists()`, true, false, false},
		{`claim("role").lower().has("admin")`, true, false, false},
		{`claim("role").contains("dmi") && claim("level") > 11.5`, true, false, false},
		{`claim("groups").has("B")`, true, false, false},
		{`claim("groups").has("b")`, false, false, false},
		{`claim("groups").lower().has("b")`, true, false, false},
		{`claim("groups").has("c, d")`, true, false, false},
		{`claim("groups").has("d")`, false, false, false},
		{`claim("groups") == "a"`, true, false, false},
		{`claim("none") == ""`, true, true, true},
		{`claim("none").exists()`, true, false, false},
		{`claim("none").has("x")`, false, false, false},
		{`claim("level").in("11", "12")`, true, false, false},
		{`claim("level") < 0 || claim("groups").has("a")`, true, false, false},
	} {
		asked := 0
		condition, problems := ParseCondition(c.condition, tokenHost(&asked))
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.condition, problems)
			continue
		}
		table := NewTable([]*Condition{condition})
		for token, want := range map[string]bool{"staff": c.staff, "empty": c.empty, "": c.none} {
			asked = 0
			in := &Input{Request: &http.Request{Header: http.Header{"X-Token": {token}}}}
			if got := Next(table, in, None) == 0; got != want {
				t.Errorf("%s: %t for the token %q", c.condition, got, token)
			}
			if asked != 1 {
				t.Errorf("%s: asked %d times for the token %q", c.condition, asked, token)
			}
		}
	}
}
