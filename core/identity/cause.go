package identity

import (
	"sync"
	"sync/atomic"
)

// Cause says why a token has no claims. There are few, so that they can be labels of a metric; none holds anything that
// a client sent.
type Cause string

const (
	Verified    Cause = ""              // it has claims
	NoKeys      Cause = "no_keys"       // no key is known yet: the key set was never fetched
	TooLong     Cause = "too_long"      // longer than 16 KiB
	Malformed   Cause = "malformed"     // not a token, or one that can be read in two ways
	Unsupported Cause = "unsupported"   // it needs what is not understood here: crit, b64, encryption, nesting, its own key
	Algorithm   Cause = "algorithm"     // one that does not exist, or that the key is not for
	UnknownKey  Cause = "unknown_key"   // no key has the token's kid
	Signature   Cause = "signature"     // no key made it
	Issuer      Cause = "issuer"        // another than the one that is expected
	Audience    Cause = "audience"      // meant for somebody else
	Expired     Cause = "expired"       // its time has passed
	NotYetValid Cause = "not_yet_valid" // its time has not come
)

// Causes are all causes for which a token is refused.
var Causes = []Cause{NoKeys, TooLong, Malformed, Unsupported, Algorithm, UnknownKey, Signature, Issuer, Audience, Expired, NotYetValid}

// Memory is what outlives a configuration: how many tokens were refused, and the last key set that was fetched. The
// zero value is empty and ready.
type Memory struct {
	mu      sync.Mutex
	refused map[Cause]*atomic.Int64 // guarded by mu
	url     string                  // where content is from; guarded by mu
	content []byte                  // guarded by mu
}

// Refused is how many tokens were refused for a cause.
type Refused struct {
	Cause  Cause
	Tokens int64
}

// Refused returns the causes that occurred, always in the same order.
func (m *Memory) Refused() []Refused {
	counters := m.counters()
	var list []Refused
	for _, cause := range Causes {
		if n := counters[cause].Load(); n > 0 {
			list = append(list, Refused{Cause: cause, Tokens: n})
		}
	}
	return list
}

// counters returns the counters of all causes; the map does not change any more.
func (m *Memory) counters() map[Cause]*atomic.Int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused == nil {
		m.refused = make(map[Cause]*atomic.Int64, len(Causes))
		for _, cause := range Causes {
			m.refused[cause] = &atomic.Int64{}
		}
	}
	return m.refused
}

// keySet returns what was last fetched from a URL, or nil.
func (m *Memory) keySet(url string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.url != url {
		return nil
	}
	return m.content
}

func (m *Memory) setKeySet(url string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.url = url
	m.content = content
}
