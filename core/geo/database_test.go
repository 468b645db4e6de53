package geo

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// cities is a City database, in whose data the record of Oslo is reached through pointers of all forms.
func cities(size, version int) file {
	oslo := place("NO", "EU", "03", "Oslo")
	data := append([]byte{}, oslo...)
	austin := len(data)
	data = append(data, place("US", "NA", "TX", "Austin")...)
	words := len(data)
	data = append(data, obj(str("iso_code"), str("DE"))...)
	shared := len(data) // a record that is made of pointers
	data = append(data, obj(str("country"), ref(words, 3), str("continent"), obj(str("code"), str("EU")))...)
	f := file{kind: "GeoLite2-City", size: size, version: version, data: data, networks: []network{
		{"192.0.2.0/25", 0}, {"192.0.2.128/25", austin}, {"198.51.100.7/32", shared},
	}}
	if version == 6 {
		f.networks = append(f.networks, network{"2001:db8::/32", 0}, network{"2001:db9::/33", shared})
	}
	return f
}

func TestLookup(t *testing.T) {
	oslo := Record{"NO", "EU", "NO-03", "Oslo", ""}
	austin := Record{"US", "NA", "US-TX", "Austin", ""}
	berlin := Record{"DE", "EU", "", "", ""}
	for _, size := range []int{24, 28, 32} {
		for _, version := range []int{4, 6} {
			d, err := Read(cities(size, version).write())
			if err != nil {
				t.Fatalf("%d bits, IPv%d: %v", size, version, err)
			}
			for address, want := range map[string]Record{
				"192.0.2.0": oslo, "192.0.2.127": oslo, "192.0.2.128": austin, "::ffff:192.0.2.255": austin,
				"198.51.100.7": berlin, "198.51.100.8": {}, "0.0.0.0": {}, "255.255.255.255": {},
				"2001:db8::1": oslo, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": oslo, "2001:db8::1%eth0": oslo,
				"2001:db9::": berlin, "2001:db9:8000::": {}, "::": {}, "ffff::": {},
			} {
				if strings.Contains(address, "2001:") && version == 4 {
					want = Record{}
				}
				got, err := d.Lookup(addr(address))
				if got != want || err != nil {
					t.Errorf("%d bits, IPv%d, %s: %q, %v, want %q", size, version, address, got, err, want)
				}
			}
			if got, err := d.Lookup(netip.Addr{}); got != (Record{}) || err != nil {
				t.Errorf("no address: %q, %v", got, err)
			}
		}
	}
}

// TestIPv4TreeOfRecord has all of IPv4 lead to one record, above the node where IPv4 begins.
func TestIPv4TreeOfRecord(t *testing.T) {
	f := cities(28, 6)
	f.networks = []network{{"::/64", 0}}
	d, err := Read(f.write())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Lookup(addr("203.0.113.1")); got[Country] != "NO" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestNodes reads both sides of nodes in which every half byte is another. Section "Node Layout" of the specification.
func TestNodes(t *testing.T) {
	node := []byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0xff, 0xff}
	for _, test := range []struct{ size, left, right int }{
		{24, 0x123456, 0x789abc}, {28, 0x7123456, 0x89abcde}, {32, 0x12345678, 0x9abcdef0},
	} {
		d := &Database{tree: node, nodes: 1, size: test.size}
		left, right := descend(d, 0, []byte{0x7f}, 1), descend(d, 0, []byte{0x80}, 1)
		if left != test.left || right != test.right {
			t.Errorf("%d bits: %x and %x, want %x and %x", test.size, left, right, test.left, test.right)
		}
	}
}

// TestDamagedTree has a tree lead where nothing can be. A node in a thousand is looked at when a file is read.
func TestDamagedTree(t *testing.T) {
	for _, test := range []struct {
		name, want string
		record     int // of the node that a bit 1 leads to
	}{
		{"to itself", "the tree does not end at 255.255.255.255", 1},
		{"into the separator", "a record at byte -1 of", 2 + separator - 1},
		{"behind the data", "a record at byte 1000000 of", 2 + separator + 1_000_000},
	} {
		f := cities(24, 4)
		content := append(f.node(2, 1), f.node(2, 2)...) // of two nodes: 2 is nowhere
		d := &Database{tree: append(content, make([]byte, separator)...), data: f.data, nodes: 2, size: 24, version: 4, records: map[int]Record{}}
		copy(d.tree[9:], f.node(0, test.record)[3:])
		if _, err := d.Lookup(addr("255.255.255.255")); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if r, err := d.Lookup(addr("0.0.0.0")); r != (Record{}) || err != nil {
			t.Errorf("%s: where nothing is damaged: %q, %v", test.name, r, err)
		}
	}
}

func TestKinds(t *testing.T) {
	all := obj(
		str("country"), obj(str("iso_code"), str("NO")), str("city"), obj(str("names"), obj(str("en"), str("Oslo"))),
		str("traits"), obj(str("autonomous_system_number"), u32(64_496)),
	)
	no := obj(str("iso_code"), str("NO"))
	system := obj(str("autonomous_system_organization"), str("Example"), str("autonomous_system_number"), num(uint16Number, 500, 2))
	for _, test := range []struct {
		kind string
		data []byte
		want Record
	}{
		{"GeoIP2-Enterprise", all, Record{"NO", "", "", "Oslo", "64496"}},
		{"DBIP-ISP (compat=Enterprise)", all, Record{"NO", "", "", "Oslo", "64496"}},
		{"GeoIP2-City-Europe", all, Record{"NO", "", "", "Oslo", ""}},
		{"DBIP-Country-Lite", all, Record{"NO", "", "", "", ""}},
		{"Example-Country", all, Record{"NO", "", "", "", ""}},
		{"GeoLite2-ASN", system, Record{"", "", "", "", "500"}},
		{"GeoIP2-ISP", system, Record{"", "", "", "", "500"}},
		{"GeoLite2-ASN", obj(str("autonomous_system_number"), num(int32Number, 64_497, 4)), Record{"", "", "", "", "64497"}},
		{"GeoLite2-ASN", obj(str("autonomous_system_number"), num(uint64Number, 4_200_000_000, 8)), Record{"", "", "", "", "4200000000"}},
		{"GeoLite2-ASN", obj(str("autonomous_system_number"), u32(0)), Record{}},
		{"GeoLite2-ASN", obj(), Record{}},
		{"X-City", obj(str("country"), no, str("subdivisions"), list(obj(str("iso_code"), str("03")))), Record{"NO", "", "NO-03", "", ""}},
		{"X-City", obj(str("country"), no, str("subdivisions"), list()), Record{"NO", "", "", "", ""}},
		{"X-City", obj(str("subdivisions"), list(no)), Record{}}, // of which country?
	} {
		d, err := Read(file{kind: test.kind, size: 24, version: 4, data: test.data, networks: []network{{"192.0.2.0/24", 0}}}.write())
		if err != nil {
			t.Errorf("%s: %v", test.kind, err)
			continue
		}
		got, err := d.Lookup(addr("192.0.2.1"))
		if got != test.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", test.kind, got, err, test.want)
		}
	}
}

func TestPointers(t *testing.T) {
	for form, at := range []int{0, 2_048, 526_336, 600_000} {
		data := make([]byte, at)
		data = append(data, str("NO")...)
		record := len(data)
		data = append(data, obj(str("country"), obj(str("iso_code"), ref(at, form)))...)
		d, err := Read(file{kind: "X-Country", size: 32, version: 4, data: data, networks: []network{{"192.0.2.0/24", record}}}.write())
		if err != nil {
			t.Errorf("form %d: %v", form, err)
			continue
		}
		if got, err := d.Lookup(addr("192.0.2.1")); got[Country] != "NO" || err != nil {
			t.Errorf("form %d: %q, %v", form, got, err)
		}
	}
}

// TestLongSizes has fields of every form of size before the one that counts: texts, and maps and arrays of texts.
func TestLongSizes(t *testing.T) {
	for _, n := range []int{28, 29, 284, 285, 65_820, 65_821, 70_000} {
		few := n % 300
		data := obj(str("before"), append(control(octets, n), make([]byte, n)...),
			str("map"), append(control(mapping, few), bytes.Repeat(str("x"), 2*few)...),
			str("array"), append(control(array, few), bytes.Repeat(str("x"), few)...),
			str("country"), obj(str("iso_code"), str("NO")))
		d, err := Read(file{kind: "X-Country", size: 24, version: 4, data: data, networks: []network{{"192.0.2.0/24", 0}}}.write())
		if err != nil {
			t.Errorf("%d: %v", n, err)
			continue
		}
		if got, err := d.Lookup(addr("192.0.2.1")); got[Country] != "NO" || err != nil {
			t.Errorf("%d: %q, %v", n, got, err)
		}
	}
}

func TestRefusedRecords(t *testing.T) {
	no := obj(str("iso_code"), str("NO"))
	for _, test := range []struct {
		name, want string
		data       []byte
	}{
		{"no map", "in the place of a map", str("NO")},
		{"a flat record", "in the place of a map", obj(str("country"), str("NO"))},
		{"a number as code", "in the place of a text", obj(str("country"), obj(str("iso_code"), u32(7)))},
		{"a number as key", "in the place of a text", obj(u32(7), no)},
		{"a long code", "in the place of a text of at most 16", obj(str("country"), obj(str("iso_code"), str(strings.Repeat("N", 17))))},
		{"a map as subdivisions", "in the place of an array", obj(str("subdivisions"), no)},
		{"a key twice", "a key twice", obj(str("country"), no, str("country"), no)},
		{"a member twice", "a key twice", obj(str("country"), obj(str("iso_code"), str("NO"), str("iso_code"), str("SE")))},
		{"an unknown type", "there is no type 16", obj(str("x"), []byte{0, 9})},
		{"an extended type that is none", "there is no type 7", obj(str("x"), []byte{0, 0})},
		{"an end inside", "a section ends", obj(str("x"), control(endMarker, 0))},
		{"a pointer to itself", "a pointer leads to a pointer", ref(0, 0)},
		{"a pointer to nowhere", "a field is missing", obj(str("country"), ref(70_000, 1))},
		{"a pointer far away", "a field is missing", obj(str("country"), ref(1<<32-1, 3))},
		{"a map that is too long", "a field is missing", append(control(mapping, 70_000), str("x")...)},
		{"an array that is too long", "a field is missing", obj(str("x"), control(array, 1<<24))},
		{"a text that is too long", "bytes are missing", obj(str("x"), control(text, 1<<24))},
		{"a short double", "a field of type 3 has 4 bytes", obj(str("x"), append(control(double, 4), make([]byte, 4)...))},
		{"a long number", "a field of type 6 has 5 bytes", obj(str("x"), append(control(uint32Number, 5), make([]byte, 5)...))},
		{"a short float", "a field of type 15 has 3 bytes", obj(str("x"), append(control(float, 3), make([]byte, 3)...))},
		{"a boolean that is neither", "a boolean is 2", obj(str("x"), control(boolean, 2))},
		{"a negative number", "a number is negative", obj(str("autonomous_system_number"), num(int32Number, 1<<32-1, 4))},
		{"too many texts", "more than 10000 fields", obj(str("x"), append(control(array, 20_000), bytes.Repeat(str(""), 20_000)...))},
		{"too much", "more than 10000 fields", obj(str("x"), append(control(array, 20_000), bytes.Repeat(control(boolean, 1), 20_000)...))},
		// Each map leads twice to the one before: 2^200 fields for who follows pointers that are not asked for.
		{"a bomb", "", bomb()},
	} {
		offset := 0
		if test.name == "a bomb" {
			offset = len(test.data) - 15
		}
		_, err := readRecord(test.data, offset)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		f := file{kind: "X-City", size: 24, version: 4, data: test.data, networks: []network{{"192.0.2.0/24", offset}}}
		_, err = Read(f.write())
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: reading the file: %v, want %q", test.name, err, test.want)
		}
	}
}

func bomb() []byte {
	data := obj(str("a"), str("b"), str("c"), str("d"))
	last := 0
	for i := 0; i < 200; i++ {
		next := len(data)
		data = append(data, obj(str("a"), ref(last, 3), str("b"), ref(last, 3))...)
		last = next
	}
	return data
}

func TestRefusedFiles(t *testing.T) {
	good := cities(24, 6).write()
	marker := bytes.LastIndex(good, metadataMarker)
	about := func(pairs ...[]byte) []byte {
		f := cities(24, 6)
		f.metadata = obj(pairs...)
		return f.write()
	}
	nodes, size := str("node_count"), str("record_size")
	version, major := str("ip_version"), str("binary_format_major_version")
	two := num(uint16Number, 2, 2)
	for _, test := range []struct {
		name, want string
		content    []byte
	}{
		{"empty", "no MaxMind DB", nil},
		{"a text", "no MaxMind DB", []byte("1.2.3.0/24 NO\n")},
		{"half of it", "no MaxMind DB", good[:len(good)/2]},
		{"the metadata alone", "nodes", good[marker:]},
		{"without metadata", "damaged metadata", good[:marker+len(metadataMarker)]},
		{"without the tree", "damaged", good[6*40:]},
		{"with half of its metadata", "damaged metadata", good[:len(good)-20]},
		{"with too much metadata", "bytes of metadata", append(append([]byte{}, good...), make([]byte, maxMetadata)...)},
		{"another version", "version 3", about(nodes, u32(1), size, num(uint16Number, 24, 2), version, two, major, num(uint16Number, 3, 2))},
		{"no version", "version 0", about(nodes, u32(1))},
		{"no nodes", "tree of 0 nodes", about(major, two)},
		{"too many nodes", "tree of 4294967295 nodes", about(major, two, nodes, u32(1<<32-1))},
		{"too many for the file", "no room", about(major, two, nodes, u32(uint64(marker)), size, num(uint16Number, 24, 2), version, num(uint16Number, 6, 2), str("database_type"), str("City"))},
		{"records of 16 bits", "records of 16 bits", about(major, two, nodes, u32(9), size, num(uint16Number, 16, 2))},
		{"IPv5", "IP version 5", about(major, two, nodes, u32(9), size, num(uint16Number, 24, 2), version, num(uint16Number, 5, 2))},
		{"no type", `the type "" hold`, about(major, two, nodes, u32(9), size, num(uint16Number, 24, 2), version, num(uint16Number, 6, 2))},
		{"another number of nodes", "does not end where", about(major, two, nodes, u32(9), size, num(uint16Number, 24, 2), version, num(uint16Number, 6, 2), str("database_type"), str("City"))},
		{"a text for a number", "damaged metadata", about(nodes, str("9"))},
		{"no map", "damaged metadata", append(append([]byte{}, good[:marker+len(metadataMarker)]...), u32(9)...)},
		{"another type", `"GeoIP2-Domain" hold no country`, file{kind: "GeoIP2-Domain", size: 24, version: 4}.write()},
		{"a tree of zeros", "leads to its root", append(make([]byte, 12), good[12:]...)},
	} {
		if _, err := Read(test.content); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := Read(good); err != nil {
		t.Errorf("what all of these are made of: %v", err)
	}
}

// TestMetadataOfAnother has the marker stand in the data too: the last one counts.
func TestMetadataOfAnother(t *testing.T) {
	f := cities(24, 4)
	f.data = append(f.data, append(control(octets, len(metadataMarker)), metadataMarker...)...)
	d, err := Read(f.write())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Lookup(addr("192.0.2.1")); got[City] != "Oslo" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
