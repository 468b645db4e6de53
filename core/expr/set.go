package expr

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
)

// textSet is a set of texts that can be swapped while it is read.
type textSet struct {
	current atomic.Value // map[string]struct{}
}

// load replaces the set by the lines of a file. It never fails: every line is a member.
func (s *textSet) load(content []byte) error {
	lines := fileLines(content)
	set := make(map[string]struct{}, len(lines))
	for _, line := range lines {
		set[line] = struct{}{}
	}
	s.current.Store(set)
	return nil
}

func (s *textSet) has(text string) bool {
	set, _ := s.current.Load().(map[string]struct{})
	_, ok := set[text]
	return ok
}

// addressSet is a set of IP prefixes that can be swapped while it is read. A look-up costs one map access for every
// prefix length that occurs, at most 33 for IPv4 and 129 for IPv6, however many prefixes there are.
type addressSet struct {
	current atomic.Value // *prefixes
}

type prefixes struct {
	set          map[netip.Prefix]struct{}
	lengths4     []int // prefix lengths that occur among IPv4 prefixes
	lengths6     []int
	seen4, seen6 [129]bool
}

func newPrefixes(n int) *prefixes { return &prefixes{set: make(map[netip.Prefix]struct{}, n)} }

// add takes an address or a CIDR. Host bits below the prefix length are dropped, as routers do.
func (p *prefixes) add(text string) error {
	prefix, err := ParsePrefix(text)
	if err != nil {
		return err
	}
	p.set[prefix] = struct{}{}
	bits := prefix.Bits()
	if prefix.Addr().Is4() {
		if !p.seen4[bits] {
			p.seen4[bits] = true
			p.lengths4 = append(p.lengths4, bits)
		}
	} else if !p.seen6[bits] {
		p.seen6[bits] = true
		p.lengths6 = append(p.lengths6, bits)
	}
	return nil
}

func (p *prefixes) contains(address netip.Addr) bool {
	lengths := p.lengths6
	if address.Is4() {
		lengths = p.lengths4
	}
	for _, bits := range lengths {
		prefix, err := address.Prefix(bits)
		if err != nil {
			continue
		}
		if _, ok := p.set[prefix]; ok {
			return true
		}
	}
	return false
}

// ParsePrefix reads an address or a CIDR. Host bits are dropped, and an IPv4-mapped prefix becomes its IPv4 form.
func ParsePrefix(text string) (netip.Prefix, error) {
	if strings.IndexByte(text, '/') < 0 {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a CIDR such as 10.0.0.0/8", text)
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a CIDR such as 10.0.0.0/8", text)
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 { // clients are compared in their IPv4 form
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// load replaces the set by the lines of a file. A line that is no prefix refuses the whole file.
func (s *addressSet) load(content []byte) error {
	lines := fileLines(content)
	p := newPrefixes(len(lines))
	for _, line := range lines {
		if err := p.add(line); err != nil {
			return err
		}
	}
	s.current.Store(p)
	return nil
}

func (s *addressSet) has(address netip.Addr) bool {
	p, _ := s.current.Load().(*prefixes)
	return p != nil && p.contains(address)
}

// fileLines returns the lines of a set file: blanks trimmed, blank lines and lines that begin with # left out.
func fileLines(content []byte) []string {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // a byte order mark, as Windows editors write it
	lines := strings.Split(string(content), "\n")
	kept := lines[:0]
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' {
			kept = append(kept, line)
		}
	}
	return kept
}
