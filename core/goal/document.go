package goal

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"sort"
)

// document is a sample as a store keeps it: the clients by ascending hashes, each as the difference to the one before
// and what is known of him, as variable-length integers.
type document struct {
	Format  int    `json:"format"`
	Period  Period `json:"period"`
	Limit   uint64 `json:"limit"`
	Clients string `json:"clients"`
}

const format = 1

// MaxDocument is how many bytes an encoded sample has at most: it fits into what stores take at once.
const MaxDocument = 1 << 20

// Errors of [Decode] wrap this one.
var errDocument = errors.New("not a sample of clients")

// Encode returns the sample for [Decode], and whether anything has changed since it was encoded last.
func (s *Sample) Encode() (content []byte, changed bool, err error) {
	s.mu.Lock()
	hashes := make([]uint64, 0, len(s.clients))
	for hash := range s.clients {
		hashes = append(hashes, hash)
	}
	sort.Slice(hashes, func(a, b int) bool { return hashes[a] < hashes[b] })
	packed := make([]byte, 0, 8*len(hashes))
	last := uint64(0)
	for _, hash := range hashes {
		packed = binary.AppendUvarint(packed, hash-last)
		packed = binary.AppendUvarint(packed, uint64(s.clients[hash]))
		last = hash
	}
	d := document{Format: format, Period: s.period, Limit: s.limit, Clients: base64.StdEncoding.EncodeToString(packed)}
	changed = s.changed
	s.changed = false
	s.mu.Unlock()
	content, err = json.Marshal(d)
	return content, changed, err
}

// Keep has what was encoded last encoded again as changed: it could not be written.
func (s *Sample) Keep() {
	s.mu.Lock()
	s.changed = true
	s.mu.Unlock()
}

// Decode returns the sample that Encode wrote. Whatever else it is given is an error.
func Decode(content []byte) (*Sample, error) {
	var d document
	if len(content) > MaxDocument {
		return nil, errDocument
	}
	if err := json.Unmarshal(content, &d); err != nil {
		return nil, errors.Join(errDocument, err)
	}
	packed, err := base64.StdEncoding.DecodeString(d.Clients)
	if err != nil {
		return nil, errors.Join(errDocument, err)
	}
	if d.Format != format || !isPeriod(d.Period) || d.Limit == 0 {
		return nil, errDocument
	}
	s := NewSample(d.Period)
	s.limit = d.Limit
	hash := uint64(0)
	for len(packed) > 0 {
		step, n := binary.Uvarint(packed)
		if n <= 0 || step > math.MaxUint64-hash {
			return nil, errDocument
		}
		hash += step
		packed = packed[n:]
		known, m := binary.Uvarint(packed)
		if m <= 0 || known > math.MaxUint32 || hash > s.limit || len(s.clients) == capacity {
			return nil, errDocument
		}
		packed = packed[m:]
		s.clients[hash] = client(known)
	}
	return s, nil
}

// isPeriod reports whether a period can be one.
func isPeriod(p Period) bool {
	return len(p.Variants) > 1 && len(p.Variants) <= MaxVariants && len(p.Weights) == len(p.Variants) && len(p.Goals) <= MaxGoals
}
