package geo

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// What stands in a file, composed field by field: a test may write what no writer would.

func control(k kind, size int) []byte {
	first := []byte{byte(k) << 5}
	if k > mapping {
		first = []byte{0, byte(k) - 7}
	}
	var long []byte
	switch {
	case size < 29:
		first[0] |= byte(size)
	case size < 285:
		first[0] |= 29
		long = []byte{byte(size - 29)}
	case size < 65_821:
		first[0] |= 30
		long = []byte{byte((size - 285) >> 8), byte(size - 285)}
	default:
		first[0] |= 31
		rest := size - 65_821
		long = []byte{byte(rest >> 16), byte(rest >> 8), byte(rest)}
	}
	return append(first, long...)
}

func str(s string) []byte { return append(control(text, len(s)), s...) }

func num(k kind, n uint64, size int) []byte {
	whole := binary.BigEndian.AppendUint64(nil, n)
	return append(control(k, size), whole[8-size:]...)
}

func u32(n uint64) []byte { return num(uint32Number, n, 4) }

// obj is a map of pairs, each a key and a value.
func obj(pairs ...[]byte) []byte {
	return append(control(mapping, len(pairs)/2), bytes.Join(pairs, nil)...)
}

func list(elements ...[]byte) []byte {
	return append(control(array, len(elements)), bytes.Join(elements, nil)...)
}

// ref is a pointer in the shortest form that holds it, or a longer one.
func ref(to, form int) []byte {
	bases := []int{0, 2_048, 526_336, 0}
	n := to - bases[form]
	high := n >> uint(8*(form+1)) & 7
	if form == 3 {
		high = 0
	}
	whole := binary.BigEndian.AppendUint32(nil, uint32(n))
	return append([]byte{byte(int(pointer)<<5 | form<<3 | high)}, whole[3-form:]...)
}

// file is a database to be written.
type file struct {
	kind     string
	size     int // of a record: 24, 28 or 32
	version  int
	data     []byte
	networks []network
	metadata []byte // in the place of what follows from the rest
}

// network leads to the record at an offset of the data.
type network struct {
	prefix string
	offset int
}

func (f file) write() []byte {
	left := []int{0} // 0: empty; below 0: a record
	right := []int{0}
	for _, n := range f.networks {
		prefix := netip.MustParsePrefix(n.prefix)
		raw := prefix.Addr().AsSlice()
		bits := prefix.Bits()
		if prefix.Addr().Is4() && f.version == 6 {
			raw = append(make([]byte, 12), raw...)
			bits += 96
		}
		node := 0
		for i := 0; i < bits; i++ {
			side := left
			if raw[i/8]>>uint(7-i%8)&1 == 1 {
				side = right
			}
			if i == bits-1 {
				side[node] = -1 - n.offset
				break
			}
			if side[node] == 0 {
				side[node] = len(left)
				left, right = append(left, 0), append(right, 0)
				node = len(left) - 1
				continue
			}
			node = side[node]
		}
	}
	var b bytes.Buffer
	for i := range left {
		b.Write(f.node(f.record(left[i], len(left)), f.record(right[i], len(left))))
	}
	b.Write(make([]byte, separator))
	b.Write(f.data)
	b.Write(metadataMarker)
	if f.metadata != nil {
		b.Write(f.metadata)
		return b.Bytes()
	}
	b.Write(obj(
		str("node_count"), u32(uint64(len(left))), str("record_size"), num(uint16Number, uint64(f.size), 2),
		str("ip_version"), num(uint16Number, uint64(f.version), 1), str("database_type"), str(f.kind),
		str("languages"), list(str("en"), str("de")), str("binary_format_major_version"), num(uint16Number, 2, 1),
		str("binary_format_minor_version"), num(uint16Number, 0, 0), str("build_epoch"), num(uint64Number, 1_800_000_000, 8),
		str("description"), obj(str("en"), str("made for a test")),
	))
	return b.Bytes()
}

func (f file) record(n, nodes int) int {
	if n < 0 {
		return nodes + separator - 1 - n
	}
	if n == 0 {
		return nodes
	}
	return n
}

func (f file) node(left, right int) []byte {
	l, r := binary.BigEndian.AppendUint32(nil, uint32(left)), binary.BigEndian.AppendUint32(nil, uint32(right))
	switch f.size {
	case 24:
		return append(l[1:], r[1:]...)
	case 28:
		middle := l[0]<<4 | r[0]
		node := append([]byte{}, l[1:]...)
		node = append(node, middle)
		return append(node, r[1:]...)
	}
	return append(l, r...)
}

// place is a record as City databases have it, with what a reader has to pass over before, between and after.
func place(country, continent, subdivision, city string) []byte {
	return obj(
		str("location"), obj(str("latitude"), append(control(double, 8), make([]byte, 8)...), str("accuracy_radius"), num(uint16Number, 100, 2)),
		str("city"), obj(str("geoname_id"), u32(123), str("names"), obj(str("de"), str("de:"+city), str("en"), str(city))),
		str("is_anycast"), control(boolean, 1),
		str("continent"), obj(str("code"), str(continent)),
		str("subdivisions"), list(obj(str("iso_code"), str(subdivision)), obj(str("iso_code"), str("XX"))),
		str("score"), append(control(float, 4), make([]byte, 4)...),
		str("raw"), append(control(octets, 300), make([]byte, 300)...),
		str("big"), num(uint128Number, 7, 8),
		str("country"), obj(str("is_in_european_union"), control(boolean, 0), str("iso_code"), str(country)),
		str("negative"), num(int32Number, 1<<32-1, 4),
	)
}
