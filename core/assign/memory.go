package assign

import (
	"crypto/sha256"
	"sync"
)

// Memory remembers the assignments of as many clients as it has room for; who was asked about least recently goes first.
// It is safe for concurrent use.
type Memory struct {
	mu       sync.Mutex
	capacity int            // guarded by mu, as is all below
	places   map[name]int32 // of the clients among entries
	entries  []entry        // a ring from the newest to the oldest; the first is its anchor, and nobody's
}

// name stands for a client's id, however long that is: the first half of its SHA-256.
type name [16]byte

// entry is what is remembered of a client.
type entry struct {
	client       name
	assignment   Assignment
	newer, older int32 // its neighbours in the ring
}

// DefaultCapacity is how many clients a memory has room for unless it is told.
const DefaultCapacity = 100_000

// MaxCapacity is how many clients a memory can have room for.
const MaxCapacity = 100_000_000

// NewMemory returns a memory with room for that many clients.
func NewMemory(capacity int) *Memory {
	return &Memory{capacity: capacity, places: map[name]int32{}, entries: make([]entry, 1)}
}

// Resize changes for how many clients there is room. What was remembered longest ago is forgotten if that is too few.
func (m *Memory) Resize(capacity int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = capacity
	if len(m.entries)-1 <= capacity {
		return
	}
	old := m.entries
	m.entries = make([]entry, 1, capacity+1)
	m.places = make(map[name]int32, capacity)
	newest := old[0].older
	at := newest
	for n := 1; n < capacity; n++ { // to the oldest that stays
		at = old[at].older
	}
	for at != 0 {
		m.add(old[at].client, old[at].assignment)
		at = old[at].newer
	}
}

// Len returns how many clients are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries) - 1
}

// Remember gives a client an assignment, in the place of any before.
func (m *Memory) Remember(client string, a Assignment) {
	key := named(client)
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, known := m.places[key]; known {
		m.entries[at].assignment = a
		m.renew(at)
		return
	}
	if len(m.entries) > m.capacity {
		oldest := m.entries[0].newer
		delete(m.places, m.entries[oldest].client)
		m.entries[oldest].client = key
		m.entries[oldest].assignment = a
		m.places[key] = oldest
		m.renew(oldest)
		return
	}
	m.add(key, a)
}

// Recall returns a client's assignment, if one is remembered. Whether it is still in force is for the caller to see. It
// is a function for the reason that [Open] gives.
func Recall(m *Memory, client string) (Assignment, bool) {
	key := named(client)
	m.mu.Lock()
	at, known := m.places[key]
	a := m.entries[at].assignment
	if known && m.entries[0].older != at {
		m.renew(at)
	}
	m.mu.Unlock()
	return a, known
}

func named(client string) name {
	sum := sha256.Sum256([]byte(client))
	var n name
	copy(n[:], sum[:])
	return n
}

// add remembers a client who is not there yet, and for whom there is room. Caller holds mu.
func (m *Memory) add(client name, a Assignment) {
	if n := len(m.entries); n == cap(m.entries) { // twice as much, but no more than there may be
		grown := 2 * n
		if grown > m.capacity+1 {
			grown = m.capacity + 1
		}
		entries := make([]entry, n, grown)
		copy(entries, m.entries)
		m.entries = entries
	}
	at := int32(len(m.entries))
	m.entries = append(m.entries, entry{client: client, assignment: a})
	m.places[client] = at
	m.link(at)
}

// renew makes an entry the newest. Caller holds mu.
func (m *Memory) renew(at int32) {
	newer, older := m.entries[at].newer, m.entries[at].older
	m.entries[newer].older = older
	m.entries[older].newer = newer
	m.link(at)
}

// link puts an entry next to the anchor, as the newest. Caller holds mu.
func (m *Memory) link(at int32) {
	newest := m.entries[0].older
	m.entries[at].newer = 0
	m.entries[at].older = newest
	m.entries[newest].newer = at
	m.entries[0].older = at
}
