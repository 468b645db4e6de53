package core

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// census knows which clients the split has assigned, as long as one revision is released. Whether clients are divided as
// the weights say is judged by those who come for the first time: who comes again, because his assignment is over, does
// so with the bias of the steps before.
//
// It is a Bloom filter (B. H. Bloom, Comm. ACM 13, 1970, 422-426): of one client in two hundred it may say that it has
// met him though it has not, whichever variant he gets, and never the other way round. When it is full nobody is new any
// more. And when somebody comes who was assigned by another gateway, or before this process began, it is closed, because
// then others who seem new are not.
type census struct {
	watchful atomic.Bool // whether those who come with an assignment are looked at

	mu       sync.Mutex // guards what follows
	revision string
	seed     maphash.Seed
	bits     []uint64
	clients  int
	known    int // who came again, and had been met
	closed   bool
}

const (
	censusBits    = 1 << 23
	censusClients = censusBits / 14
	censusKnown   = 10_000 // who come again and are known: then there are no others
)

// first reports whether the split assigns a client for the first time since the revision began to be released.
func (c *census) first(key string, position rollout.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bits == nil || c.revision != position.Revision {
		c.revision = position.Revision
		c.seed = maphash.MakeSeed()
		c.bits = make([]uint64, censusBits/64)
		c.clients = 0
		c.known = 0
		c.closed = false
		c.watchful.Store(true)
	}
	if c.closed || c.clients >= censusClients || !c.add(key) {
		return false
	}
	c.clients++
	return true
}

// again looks at a client who comes with an assignment.
func (c *census) again(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.bits == nil || c.clients >= censusClients {
		return
	}
	if c.add(key) {
		c.closed = true
	}
	c.known++
	if c.closed || c.known == censusKnown {
		c.watchful.Store(false)
	}
}

// isClosed reports whether somebody came who was assigned elsewhere.
func (c *census) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// add meets a client, and reports whether that is the first time. Its four hashes are made of two (A. Kirsch, M.
// Mitzenmacher, ESA 2006, 456-467).
func (c *census) add(key string) bool {
	hash := maphash.String(c.seed, key)
	bit := uint32(hash)
	step := uint32(hash >> 32)
	fresh := false
	for i := 0; i < 4; i++ {
		bit += step
		word := bit % censusBits / 64
		mask := uint64(1) << (bit % 64)
		if c.bits[word]&mask == 0 {
			fresh = true
		}
		c.bits[word] |= mask
	}
	return fresh
}
