package geo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// Database is a file that was read. It is safe for concurrent use.
type Database struct {
	// Type is what the database says that it is, such as "GeoLite2-City".
	Type string

	content []byte // all of the file
	tree    []byte
	data    []byte
	nodes   int
	size    int // of a record of the tree, in bits
	version int // of the addresses: 4 or 6
	first4  int // where the IPv4 addresses of an IPv6 tree begin
	has     [Fields]bool

	mu      sync.Mutex
	records map[int]Record // guarded by mu: those that were read, by their offset in the data section
}

const (
	separator   = 16        // zero bytes between the tree and the data. Section "Data Section Separator"
	maxMetadata = 128 << 10 // Section "Database Metadata"
	maxRecords  = 8_192     // that are remembered: a few MB, and most of the addresses that occur
	probes      = 1_000     // nodes that are looked at before a file is believed
)

// metadataMarker begins the metadata, where it stands last.
var metadataMarker = []byte("\xab\xcd\xefMaxMind.com")

// Read reads a file, which must not be changed afterwards. The error says what is wrong with it: it is no such database,
// it is damaged, or it holds none of the fields of a [Record].
func Read(content []byte) (*Database, error) {
	marker := bytes.LastIndex(content, metadataMarker)
	if marker < 0 {
		return nil, errors.New("this is no MaxMind DB, or not all of it: there is no metadata at the end")
	}
	d := &Database{content: content, records: map[int]Record{}}
	if err := d.readMetadata(content[marker+len(metadataMarker):], marker); err != nil {
		return nil, err
	}
	data := d.nodes*d.size/4 + separator // section "Calculating the Search Tree Section Size"
	if data > marker {
		return nil, fmt.Errorf("damaged: a tree of %d nodes of %d bits has no room in %d bytes", d.nodes, 2*d.size, marker)
	}
	d.tree = content[:data] // with what is behind it, so that every record can be read as four bytes
	d.data = content[data:marker]
	if len(bytes.Trim(content[data-separator:data], "\x00")) > 0 {
		return nil, errors.New("damaged: the tree does not end where the metadata says")
	}
	if d.version == 6 {
		d.first4 = descend(d, 0, make([]byte, 12), 96) // section "IPv4 addresses in an IPv6 tree"
	}
	if err := d.probe(); err != nil {
		return nil, err
	}
	return d, nil
}

// readMetadata reads the section "Database Metadata" of a file that has room bytes before it.
func (d *Database) readMetadata(section []byte, room int) error {
	if len(section) > maxMetadata {
		return fmt.Errorf("damaged: %d bytes of metadata", len(section))
	}
	numbers := map[string]uint64{}
	c := walk(section, 0)
	n, _ := entries(c)
	for n > 0 && c.fault == nil {
		n--
		switch key := words(c, maxKey); key {
		case "node_count", "record_size", "ip_version", "binary_format_major_version":
			numbers[key] = number(c)
		case "database_type":
			d.Type = words(c, maxName)
		default:
			skip(c)
		}
	}
	if c.fault != nil {
		return fmt.Errorf("damaged metadata: %w", c.fault)
	}
	if major := numbers["binary_format_major_version"]; major != 2 {
		return fmt.Errorf("version %d of the MaxMind DB format is unknown: there is version 2", major)
	}
	if numbers["node_count"] == 0 || numbers["node_count"] > uint64(room) {
		return fmt.Errorf("damaged metadata: a tree of %d nodes in %d bytes", numbers["node_count"], room)
	}
	d.nodes, d.size, d.version = int(numbers["node_count"]), int(numbers["record_size"]), int(numbers["ip_version"])
	if d.size != 24 && d.size != 28 && d.size != 32 {
		return fmt.Errorf("records of %d bits are unknown: there are 24, 28 and 32", d.size)
	}
	if d.version != 4 && d.version != 6 {
		return fmt.Errorf("damaged metadata: addresses of IP version %d", d.version)
	}
	return d.know()
}

// know tells from the database's type what its records hold. Types are named freely, but all that are published name the
// records that they are compatible with: GeoLite2-City, DBIP-ISP (compat=Enterprise).
func (d *Database) know() error {
	place := []Field{Country, Continent}
	switch {
	case strings.Contains(d.Type, "Enterprise"):
		place = []Field{Country, Continent, Subdivision, City, ASN}
	case strings.Contains(d.Type, "City"):
		place = []Field{Country, Continent, Subdivision, City}
	case strings.Contains(d.Type, "Country"):
	case strings.Contains(d.Type, "ASN") || strings.Contains(d.Type, "ISP"):
		place = []Field{ASN}
	default:
		return fmt.Errorf("databases of the type %q hold no %s: use one of the type City, Country, Enterprise, ASN or ISP",
			d.Type, strings.Join(Names, ", "))
	}
	for _, field := range place {
		d.has[field] = true
	}
	return nil
}

// Has reports whether the records of the database may hold a field.
func (d *Database) Has(field Field) bool { return d.has[field] }

// probe looks at nodes all over the tree, and at the records that they lead to: a file of which a part is missing is
// seldom whole in all of these places.
func (d *Database) probe() error {
	step := 1 + d.nodes/probes
	for node := 0; node < d.nodes; node += step {
		for _, side := range [][]byte{{0}, {0x80}} {
			next := descend(d, node, side, 1)
			if next == 0 {
				return fmt.Errorf("damaged: node %d of the tree leads to its root", node)
			}
			if next <= d.nodes {
				continue
			}
			if _, err := d.record(next); err != nil {
				return err
			}
		}
	}
	return nil
}

// Lookup is a [Lookup]. IPv4-mapped addresses count as IPv4, and zones do not count.
func (d *Database) Lookup(address netip.Addr) (Record, error) {
	address = address.Unmap()
	if !covers(d, address) {
		return Record{}, nil
	}
	node := 0
	if address.Is4() && d.version == 6 {
		node = d.first4
	}
	node = descend(d, node, address.AsSlice(), address.BitLen())
	if node < d.nodes {
		return Record{}, fmt.Errorf("damaged: the tree does not end at %s", address.String())
	}
	if node == d.nodes {
		return Record{}, nil
	}
	return d.record(node)
}

// covers reports whether addresses of a kind have a place in the tree.
func covers(d *Database, address netip.Addr) bool {
	return address.Is4() || address.Is6() && d.version == 6
}

// descend follows the first bits of an address from a node, until it leaves the tree. Sections "Search Lookup Algorithm"
// and "Node Layout".
func descend(d *Database, node int, address []byte, bits int) int {
	tree, width := d.tree, d.size/4
	nodes := uint(d.nodes)
	mask := uint32(1<<uint(d.size) - 1)
	for i := 0; i < bits && uint(node) < nodes; i++ {
		at := node * width
		if address[i>>3]<<uint(i&7)&0x80 != 0 {
			node = int(binary.BigEndian.Uint32(tree[at+width-4:]) & mask)
			continue
		}
		record := binary.BigEndian.Uint32(tree[at:])
		switch width {
		case 6:
			record >>= 8
		case 7:
			record = record>>8 | uint32(tree[at+3]>>4)<<24
		}
		node = int(record)
	}
	return node
}

// record returns the record that a node beyond the tree stands for. Few records serve most addresses, and reading one
// costs more than finding it, so that those are remembered.
func (d *Database) record(node int) (Record, error) {
	offset := node - d.nodes - separator
	if offset < 0 || offset >= len(d.data) {
		return Record{}, fmt.Errorf("damaged: a record at byte %d of %d", offset, len(d.data))
	}
	d.mu.Lock()
	r, known := d.records[offset]
	d.mu.Unlock()
	if known {
		return r, nil
	}
	r, err := readRecord(d.data, offset)
	if err != nil {
		return Record{}, fmt.Errorf("damaged: the record at byte %d: %w", offset, err)
	}
	for field := range r {
		if !d.has[field] {
			r[field] = ""
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.records) >= maxRecords {
		d.records = map[int]Record{}
	}
	d.records[offset] = r
	return r, nil
}
