package identity

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"
)

// Settings are what tokens are held to, besides their signature. The zero value expects nothing but times.
type Settings struct {
	// Issuer is what "iss" must be. Empty: any.
	Issuer string

	// Audience holds what "aud" must name one of. Empty: any.
	Audience []string

	// Leeway is how far the clocks of the issuer and of this machine may differ, in whole seconds.
	Leeway time.Duration

	// Memory outlives the verifier. Nil: nothing does.
	Memory *Memory
}

// Verifier verifies tokens with keys that may change while it works.
type Verifier struct {
	settings Settings
	paths    []string // of claims
	refused  map[Cause]*atomic.Int64
	trust    atomic.Value // *trust; nothing before there are keys
	remote   *remote      // nil if no keys are fetched

	mu      sync.Mutex // guards what trust is made of
	secret  []*key
	public  []*key
	content []byte // of public
}

// trust is a set of keys, with the tokens that they verified: other keys know nothing of these.
type trust struct {
	keys  []*key
	cache cache
}

// New returns a verifier without keys.
func New(settings Settings) *Verifier {
	if settings.Memory == nil {
		settings.Memory = &Memory{}
	}
	return &Verifier{settings: settings, refused: settings.Memory.counters()}
}

// Claim has every token asked for a claim and returns its index in [Claims]. The path is the claim's name, with dots
// before the names of members of objects. It must not be called after the first token.
func (v *Verifier) Claim(path string) int {
	for i, known := range v.paths {
		if known == path {
			return i
		}
	}
	v.paths = append(v.paths, path)
	return len(v.paths) - 1
}

// SetSecret replaces the secret that HMACs are verified with. The error does not contain it.
func (v *Verifier) SetSecret(secret string) error {
	k, err := parseSecret([]byte(secret))
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secret = []*key{k}
	v.rebuild()
	return nil
}

// LoadKeys replaces the other keys by those of a JWK set, or of PEM: PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE, of which
// the dates do not count. An error leaves the keys as they were.
func (v *Verifier) LoadKeys(content []byte) error {
	_, err := v.load(content, false)
	return err
}

// load returns what of the keys is of no use.
func (v *Verifier) load(content []byte, public bool) (skipped []string, err error) {
	keys, skipped, err := parseKeys(content, public)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if bytes.Equal(content, v.content) { // the tokens that they verified stay
		return skipped, nil
	}
	v.public = keys
	v.content = content
	v.rebuild()
	return skipped, nil
}

// rebuild makes the keys count. Caller holds mu.
func (v *Verifier) rebuild() {
	keys := append([]*key(nil), v.secret...)
	v.trust.Store(&trust{keys: append(keys, v.public...)})
}

// Verify returns the claims of a token, or counts why it has none. now is what its times are compared with.
//
// It is cut into small functions, because interpreted a call costs by the size of what is called.
func Verify(v *Verifier, token string, now time.Time) (Claims, Cause) {
	t, _ := v.trust.Load().(*trust)
	if t == nil {
		return v.refuse(NoKeys)
	}
	known := recall(&t.cache, token)
	if known == nil {
		return verifyNew(v, t, token, now.Unix())
	}
	return claimsAt(v, known, now.Unix())
}

func claimsAt(v *Verifier, known *verified, second int64) (Claims, Cause) {
	if known.from <= second && second < known.until {
		return known.claims, Verified
	}
	if second >= known.until {
		return v.refuse(Expired)
	}
	return v.refuse(NotYetValid)
}

func verifyNew(v *Verifier, t *trust, token string, second int64) (Claims, Cause) {
	if known := t.cache.recallOlder(token); known != nil {
		return claimsAt(v, known, second)
	}
	known, cause := v.verify(t, token)
	if cause != Verified {
		return v.refuse(cause)
	}
	return claimsAt(v, known, second)
}

func (v *Verifier) refuse(cause Cause) (Claims, Cause) {
	v.refused[cause].Add(1)
	return nil, cause
}

// verify verifies everything about a token but whether it is its time, in the order of RFC 7519, section 7.2, and
// remembers it.
func (v *Verifier) verify(t *trust, text string) (*verified, Cause) {
	token, cause := parseToken(text)
	if cause != Verified {
		return nil, cause
	}
	if cause = v.verifySignature(t, &token); cause != Verified {
		return nil, cause
	}
	payload, err := decodeSegment(token.payload)
	if err != nil {
		return nil, Malformed
	}
	claims, err := parseObject(payload, maxClaimValues)
	if err != nil {
		return nil, Malformed
	}
	from, until, cause := registered(claims, v.settings)
	if cause != Verified {
		return nil, cause
	}
	known := &verified{from: from, until: until, claims: readClaims(claims, v.paths)}
	t.cache.add(text, known)
	return known, Verified
}

// verifySignature tries the keys that have the token's kid, or none, and are for its algorithm. A token without kid may
// be of any key (RFC 7515, section 6). If none has made the token, and none is the one that it names, there may be new
// keys.
func (v *Verifier) verifySignature(t *trust, token *token) Cause {
	cause := UnknownKey
	named := false
	for _, k := range t.keys {
		if k.id != token.keyID && k.id != "" && token.keyID != "" {
			continue
		}
		named = named || k.id == token.keyID && k.id != ""
		if cause == UnknownKey {
			cause = Algorithm
		}
		if !k.fits(token.algorithm) {
			continue
		}
		cause = Signature
		if verify(k, token.algorithm, token.input, token.signature) {
			return Verified
		}
	}
	if !named && v.remote != nil {
		v.remote.want()
	}
	return cause
}
