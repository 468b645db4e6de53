package geo

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
)

// maxAddresses is how many addresses are remembered twice over: those asked for since the last time that there were so
// many, and those asked for before. Together they take at most a few MB.
const maxAddresses = 16_384

// Places answers from several databases, such as one of cities and one of networks: every field comes from the first that
// knows it, and sees the address in no other country than those before. The zero value has no databases and is ready. Asking is safe for concurrent use, and while a database is
// exchanged; that is done one after the other.
type Places struct {
	// Open returns what looks up addresses in a database that was read, or nil where the database does that itself. It
	// is for hosts that have a faster reader.
	Open func(content []byte, database *Database) (Lookup, error)

	// Damaged is told of a record that cannot be read, once for every content of a file. Addresses there are unknown.
	// Nil: nobody is.
	Damaged func(path string, err error)

	sources []*source
	answers atomic.Value // *answers; nothing while a database is missing
}

// source is a file and what was read from it last.
type source struct {
	path     string
	database *Database
	lookup   Lookup // nil: the database's own. An interpreter would keep all that is here when a function value is made
	told     *atomic.Bool
}

// answers are the databases of one moment and what they said.
type answers struct {
	sources []source
	damaged func(path string, err error)

	mu     sync.Mutex
	recent map[netip.Addr]*Record // guarded by mu
	before map[netip.Addr]*Record // guarded by mu
}

// Add returns a function that takes the content of a further file, as it is now and whenever it changes. One that is
// refused leaves what was there before; so does one that has lost a field, because an expression may need it.
func (p *Places) Add(path string) func(content []byte) error {
	s := &source{path: path}
	p.sources = append(p.sources, s)
	return func(content []byte) error { return p.load(s, content) }
}

func (p *Places) load(s *source, content []byte) error {
	database, err := share(s.path, content)
	if err != nil {
		return err
	}
	for field := Country; field < Fields; field++ {
		if s.database != nil && s.database.Has(field) && !database.Has(field) {
			return fmt.Errorf("it is of the type %q now, which has no %s; it was %q", database.Type, Names[field], s.database.Type)
		}
	}
	var lookup Lookup
	if p.Open != nil {
		lookup, err = p.Open(database.content, database)
		if err != nil {
			return err
		}
	}
	s.database = database
	s.lookup = lookup
	s.told = &atomic.Bool{}
	now := &answers{damaged: p.Damaged, recent: map[netip.Addr]*Record{}}
	for _, s := range p.sources {
		if s.database == nil {
			return nil // more are to come
		}
		now.sources = append(now.sources, *s)
	}
	p.answers.Store(now)
	return nil
}

// Check returns an error unless a database has a field. While one was not read yet, nothing is known.
func (p *Places) Check(field Field) error {
	now, _ := p.answers.Load().(*answers)
	if now == nil {
		return nil
	}
	list := make([]string, 0, len(now.sources))
	for _, s := range now.sources {
		if s.database.Has(field) {
			return nil
		}
		list = append(list, fmt.Sprintf("%s (%s)", s.path, s.database.Type))
	}
	return fmt.Errorf("no database has the %s: there is %s", Names[field], strings.Join(list, ", "))
}

// At returns what is known about an address; it must not be changed. IPv4-mapped addresses count as IPv4. It is a
// function, as is all that a request runs through: methods cost more where they are interpreted.
func At(p *Places, address netip.Addr) *Record {
	now, _ := p.answers.Load().(*answers)
	if now == nil {
		return &Record{}
	}
	now.mu.Lock()
	r := now.recent[address]
	now.mu.Unlock()
	if r == nil {
		r = ask(now, address)
	}
	return r
}

// ask finds what was not asked for lately.
func ask(now *answers, address netip.Addr) *Record {
	now.mu.Lock()
	r := now.before[address]
	now.mu.Unlock()
	if r == nil {
		r = &Record{}
		plain := address.Unmap()
		for _, s := range now.sources {
			if !covers(s.database, plain) {
				continue
			}
			var found Record
			var err error
			if s.lookup != nil {
				found, err = s.lookup(plain)
			} else {
				found, err = s.database.Lookup(plain)
			}
			if err == nil {
				fill(r, found)
			} else if now.damaged != nil && s.told.CompareAndSwap(false, true) {
				now.damaged(s.path, err)
			}
		}
	}
	now.mu.Lock()
	defer now.mu.Unlock()
	if len(now.recent) >= maxAddresses {
		now.before = now.recent
		now.recent = map[netip.Addr]*Record{}
	}
	now.recent[address] = r
	return r
}

// fill adds what is not known yet. Of a place in another country it takes nothing: no city of Norway lies in Sweden.
func fill(r *Record, found Record) {
	elsewhere := r[Country] != "" && found[Country] != "" && r[Country] != found[Country]
	for field := range found {
		if r[field] == "" && (!elsewhere || Field(field) == ASN) {
			r[field] = found[field]
		}
	}
}
