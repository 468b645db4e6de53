package goal

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
)

// document is a sample as a store keeps it: of each client eight bytes of his hash, and what is known of him as a
// variable-length integer.
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

// Encode returns the sample for [Decode], and whether clients were seen since it was encoded last: what was merged does
// not count, because others have written it.
func (s *Sample) Encode() (content []byte, changed bool, err error) {
	d, changed := s.document()
	content, err = json.Marshal(d)
	return content, changed, err
}

// document packs the clients. Of those who are seen meanwhile some may be in it: they are a change for the next time.
func (s *Sample) document() (d document, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.changed
	s.changed = false
	packed := make([]byte, 0, 10*len(s.clients))
	n := 0
	for hash, c := range s.clients {
		packed = binary.BigEndian.AppendUint64(packed, hash)
		packed = binary.AppendUvarint(packed, uint64(c))
		if n++; n%atOnce == 0 {
			s.mu.Unlock()
			s.mu.Lock()
		}
	}
	d = document{Format: format, Period: s.period, Limit: s.limit, Clients: base64.StdEncoding.EncodeToString(packed)}
	return d, changed
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
	for len(packed) > 0 {
		if len(packed) < 9 {
			return nil, errDocument
		}
		hash := binary.BigEndian.Uint64(packed)
		known, n := binary.Uvarint(packed[8:])
		if n <= 0 || known > math.MaxUint32 {
			return nil, errDocument
		}
		packed = packed[8+n:]
		if hash <= s.limit { // else it was forgotten while the sample was packed
			s.put(hash, client(known))
		}
	}
	return s, nil
}

// isPeriod reports whether a period can be one.
func isPeriod(p Period) bool {
	return len(p.Variants) > 1 && len(p.Variants) <= MaxVariants && len(p.Weights) == len(p.Variants) && len(p.Goals) <= MaxGoals
}

// Possible reports whether a sample can have counted so: what somebody else has written need not be what a sample says.
func (c Counts) Possible() bool {
	if !isPeriod(c.Period) || !(c.Sampled > 0 && c.Sampled <= 1) || len(c.Reached) != len(c.Period.Goals) || !areClients(c.Clients, c.Period) || c.Mixed < 0 {
		return false
	}
	for _, reached := range c.Reached {
		if !areClients(reached, c.Period) {
			return false
		}
		for v, n := range reached {
			if n > c.Clients[v] {
				return false
			}
		}
	}
	return true
}

// areClients reports whether there is a number of clients for each variant.
func areClients(counts []int64, p Period) bool {
	if len(counts) != len(p.Variants) {
		return false
	}
	for _, n := range counts {
		if n < 0 {
			return false
		}
	}
	return true
}
