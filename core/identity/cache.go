package identity

import (
	"strings"
	"sync"
)

// What verified tokens may take at most, for one set of keys.
const (
	maxCached      = 20000    // tokens
	maxCachedBytes = 32 << 20 // of tokens and their claims
)

// verified is a token whose signature, issuer and audience were found to be right. Whether it is its time is asked
// anew with every request: an expired one that was seen before is refused at the price of a look-up.
type verified struct {
	from, until int64 // Unix seconds
	claims      Claims
}

// cache remembers verified tokens. The whole token is the key, so there are no collisions to think of, and a look-up
// costs a thirtieth of what a cryptographic hash of it would.
//
// There are two generations: when the recent one is half of what may be, it becomes the older one, and what was in that
// is forgotten unless it was used meanwhile. Nothing has to be ordered, and a look-up of a recent token only reads.
type cache struct {
	mu     sync.RWMutex
	recent map[string]*verified // guarded by mu
	older  map[string]*verified // guarded by mu
	bytes  int                  // of recent; guarded by mu
}

// recall returns what is known of a token that was used lately, or nil.
func recall(c *cache, token string) *verified {
	c.mu.RLock()
	known := c.recent[token]
	c.mu.RUnlock()
	return known
}

// recallOlder returns what is known of a token that was not used for a while, or nil.
func (c *cache) recallOlder(token string) *verified {
	c.mu.RLock()
	known := c.older[token]
	c.mu.RUnlock()
	if known != nil {
		c.add(token, known)
	}
	return known
}

func (c *cache) add(token string, v *verified) {
	size := len(token)
	for _, claim := range v.claims {
		for _, text := range claim {
			size += len(text)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recent == nil || len(c.recent) >= maxCached/2 || c.bytes+size > maxCachedBytes/2 {
		c.older = c.recent
		c.recent = map[string]*verified{}
		c.bytes = 0
	}
	if c.recent[token] == nil {
		c.recent[strings.Clone(token)] = v // a part of a header would keep the header
		c.bytes += size
	}
}
