package identity

import "time"

// Examine returns what [Verify] would, and leaves no trace: nothing is counted, remembered or fetched.
func (v *Verifier) Examine(token string, now time.Time) (Claims, Cause) {
	t, _ := v.trust.Load().(*trust)
	if t == nil {
		return nil, NoKeys
	}
	quiet := &Verifier{settings: v.settings, paths: v.paths} // which fetches nothing
	known, cause := quiet.verify(&trust{keys: t.keys}, token)
	if cause != Verified {
		return nil, cause
	}
	second := now.Unix()
	if second >= known.until {
		return nil, Expired
	}
	if second < known.from {
		return nil, NotYetValid
	}
	return known.claims, Verified
}

// Assume returns the claims of a token that nobody has verified: of its payload, a JSON object.
func (v *Verifier) Assume(payload []byte) (Claims, error) {
	object, err := parseObject(payload, maxClaimValues)
	if err != nil {
		return nil, err
	}
	return readClaims(object, v.paths), nil
}

// Asked returns the paths of the claims that somebody asks for.
func (v *Verifier) Asked() []string { return v.paths }
