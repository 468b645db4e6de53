package assign

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"
	"sync"
	"sync/atomic"
)

// What a cookie's value holds, before it is written in base64url (RFC 4648, section 5) without padding:
//
//	2 bytes   the version of this layout
//	6 bytes   when the assignment ends, in Unix milliseconds
//	8 bytes   its generation
//	9 bytes   the client's random id
//	n bytes   the variant's name, 0 to 64
//	16 bytes  the first half of HMAC-SHA256, over the rollout's name, a zero byte, and all of the above
//
// Half of the MAC is what RFC 2104, section 5, asks for at least, and 128 bits that nobody guesses. The rollout's name is
// part of what is signed, so no rollout takes another's cookies, though they may share a secret. A reader of the cookie
// sees which variant serves him, which he sees anyway.
const (
	version    = 1
	idSize     = 9 // 72 bits: a billion clients have no two of one id, most likely
	macSize    = 16
	headSize   = 8 + 8 + idSize
	maxVariant = 64

	minValue = (headSize + macSize) * 8 / 6
	maxValue = ((headSize+maxVariant+macSize)*8 + 5) / 6
)

// MinSecret is how long a secret is at least, in bytes: as long as the hash, as RFC 2104, section 3, asks.
const MinSecret = 32

// MaxSecrets is how many secrets may be in use at once: each is tried on what none before it signed.
const MaxSecrets = 8

// Codec writes and reads the values of a rollout's cookies. It is safe for concurrent use.
type Codec struct {
	rollout []byte // its name and a zero byte, which no name contains

	mu      sync.Mutex   // held while signers are replaced
	signers atomic.Value // []*signer, the first of which signs

	seen  atomic.Value // *sync.Map of *content by the value, of values that were genuine by the signers
	count atomic.Int64 // of values in it
}

// content is what a genuine value says.
type content struct {
	assignment Assignment
	id         string
}

// maxSeen is how many genuine values are remembered, with some 250 bytes each, before all are forgotten. Interpreted, to
// find one takes a third of the time that it takes to verify it. How long looking takes tells nothing of values that one
// does not have: maps hash with a seed.
const maxSeen = 10_000

// signer computes the MACs of one secret. States are kept, because the secret was worked into them.
type signer struct{ states sync.Pool }

// encoding is strict: a value cannot be written in two ways.
var encoding = base64.RawURLEncoding.Strict()

// NewCodec returns the codec for a rollout's cookies. Until it has a secret, no cookie is genuine.
func NewCodec(rollout string) *Codec {
	c := &Codec{rollout: append([]byte(rollout), 0)}
	c.signers.Store([]*signer(nil))
	c.seen.Store(&sync.Map{})
	return c
}

// SetSecret puts a secret in its place: the one at 0 signs, and all others are believed. Places count up from 0. The
// error does not contain the secret.
func (c *Codec) SetSecret(place int, secret string) error {
	if len(secret) < MinSecret {
		return fmt.Errorf("the secret has %d bytes, and needs %d at least: make one with: openssl rand -base64 32", len(secret), MinSecret)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.signers.Load().([]*signer)
	size := len(known)
	if size <= place {
		size = place + 1
	}
	signers := make([]*signer, size)
	copy(signers, known)
	signers[place] = newSigner(secret)
	c.signers.Store(signers)
	c.seen.Store(&sync.Map{}) // after the signers: what was genuine by those before is remembered in the old one
	return nil
}

func newSigner(secret string) *signer {
	key := []byte(secret)
	s := &signer{}
	s.states.New = func() any { return hmac.New(sha256.New, key) }
	return s
}

// NewID returns a new client's id.
func NewID() string {
	random := make([]byte, idSize)
	_, _ = rand.Read(random) // it never fails
	return string(random)
}

// Seal returns the value of a cookie that gives the assignment to the client with that id.
func (c *Codec) Seal(a Assignment, id string) string {
	payload := make([]byte, 0, headSize+maxVariant+macSize)
	payload = binary.BigEndian.AppendUint64(payload, version<<48|uint64(bounded(a.Expires)))
	payload = binary.BigEndian.AppendUint64(payload, a.Generation)
	payload = append(payload, id...)
	payload = append(payload, a.Variant...)
	signers := c.signers.Load().([]*signer)
	if len(signers) == 0 || signers[0] == nil || len(id) != idSize || len(a.Variant) > maxVariant {
		return "" // which is no cookie's value
	}
	return encoding.EncodeToString(append(payload, mac(c, signers[0], payload)...))
}

// Open returns the assignment and the client's id of a value that [Codec.Seal] returned for the same rollout and one of
// the secrets, and false for any other, whatever it is. Whether the assignment is still in force is for the caller to see.
//
// It is a function, because every request runs through it, and interpreted methods are dear.
func Open(c *Codec, value string) (Assignment, string, bool) {
	seen := c.seen.Load().(*sync.Map)
	if known, ok := seen.Load(value); ok {
		found := known.(*content)
		return found.assignment, found.id, true
	}
	found := c.verify(value)
	if found == nil {
		return Assignment{}, "", false
	}
	if c.count.Add(1) > maxSeen {
		c.count.Store(0)
		c.seen.Store(&sync.Map{})
	}
	seen.Store(strings.Clone(value), found) // not the whole header that it is a part of
	return found.assignment, found.id, true
}

// verify returns what a value says, or nil if it is not genuine.
func (c *Codec) verify(value string) *content {
	if len(value) < minValue || len(value) > maxValue {
		return nil
	}
	sealed, err := encoding.DecodeString(value)
	if err != nil || len(sealed) < headSize+macSize || encoding.EncodedLen(len(sealed)) != len(value) {
		return nil
	}
	payload := sealed[:len(sealed)-macSize]
	if !genuine(c, payload, sealed[len(payload):]) {
		return nil
	}
	head := binary.BigEndian.Uint64(payload)
	if head>>48 != version {
		return nil
	}
	a := Assignment{
		Variant:    string(payload[headSize:]),
		Generation: binary.BigEndian.Uint64(payload[8:]),
		Expires:    int64(head & Never),
	}
	return &content{assignment: a, id: string(payload[16:headSize])}
}

// genuine reports whether one of the secrets signed the payload so.
func genuine(c *Codec, payload, sum []byte) bool {
	for _, s := range c.signers.Load().([]*signer) {
		if s != nil && hmac.Equal(mac(c, s, payload), sum) {
			return true
		}
	}
	return false
}

func mac(c *Codec, s *signer, payload []byte) []byte {
	state := s.states.Get().(hash.Hash)
	state.Reset()
	_, _ = state.Write(c.rollout)
	_, _ = state.Write(payload)
	sum := state.Sum(nil)
	s.states.Put(state)
	return sum[:macSize]
}
