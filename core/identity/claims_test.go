package identity

import (
	"fmt"
	"testing"
)

func TestClaims(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{}, s.jwk("HS256", ""))
	payload := claims(`,"role":"admin","level":3,"big":12345678901234567890,"ratio":0.50,"beta":true,"off":false,"none":null,"empty":"",
		"groups":["staff","beta, all",7,true,null,{"x":1},["y"]],"no_groups":[],"objects":[{"x":1}],
		"realm_access":{"roles":["user","admin"],"deep":{"er":"x"}},
		"https://example.com/roles":["reader"],"a":{"b":1,"b.c":2},"a.b":3,"a.x":{"y":4},"x":{"y":{"z":5},"y.z":6},
		"scope":"read write","scp":"","role\u0000":"evil"`)
	for _, c := range []struct {
		path string
		want []string // nil: absent
	}{
		{"sub", []string{"u1"}},
		{"exp", []string{"1800000060"}},
		{"role", []string{"admin"}},
		{"Role", nil},
		{"level", []string{"3"}},
		{"big", []string{"12345678901234567890"}},
		{"ratio", []string{"0.50"}},
		{"beta", []string{"true"}},
		{"off", []string{"false"}},
		{"none", nil},
		{"missing", nil},
		{"empty", []string{""}},
		{"groups", []string{"staff", "staff", "beta, all", "7", "true"}},
		{"no_groups", []string{""}},
		{"objects", []string{""}},
		{"realm_access", []string{""}},
		{"realm_access.roles", []string{"user", "user", "admin"}},
		{"realm_access.deep.er", []string{"x"}},
		{"realm_access.deep.er.x", nil},
		{"realm_access.missing", nil},
		{"role.x", nil},
		{"https://example.com/roles", []string{"reader", "reader"}},
		{"a.b", []string{"3"}}, // the fewest levels
		{"a.b.c", []string{"2"}},
		{"a.x.y", []string{"4"}},
		{"x.y.z", []string{"6"}},
		{"scope", []string{"read write", "read", "write"}},
		{"scp", []string{""}},
	} {
		i := v.Claim(c.path)
		if again := v.Claim(c.path); again != i {
			t.Errorf("%s: index %d, and then %d", c.path, i, again)
		}
		// The claims asked for are part of what a verified token is remembered by.
		v.rebuild()
		read := expect(t, c.path, v, s.token(t, "HS256", payload), Verified)
		if len(read) == 0 {
			continue
		}
		got := read[i]
		if (got == nil) != (c.want == nil) || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
}
