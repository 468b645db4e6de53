package core

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/grayling-gateway/grayling/core/balance"
)

// upstreamExample shows how an upstream is written.
const upstreamExample = "10.0.0.1:8080 weight=9 version=v1"

// upstreams reads a list of upstreams.
func (c *checker) upstreams(path string, items []any, variant int) []Upstream {
	if len(items) > balance.MaxUpstreams {
		c.fail(path, "%d upstreams are too many: %d at most", len(items), balance.MaxUpstreams)
		return nil
	}
	list := make([]Upstream, 0, len(items))
	places := map[string]string{} // of the addresses
	for i, item := range items {
		place := fmt.Sprintf("%s[%d]", path, i)
		u, isRead := c.upstream(place, item)
		if !isRead {
			c.incomplete = true
			continue
		}
		if other := places[u.Name]; other != "" {
			c.fail(place, "%s stands at %s already: give it a larger weight there", u.Name, other)
			continue
		}
		places[u.Name] = place
		if c.host.Address != nil {
			if err := c.host.Address(u.Name); err != nil {
				c.fail(place, "%v", err)
			}
		}
		list = append(list, Upstream{Upstream: u, Variant: variant, Path: place})
	}
	return list
}

// upstream reads one upstream, a text or a table, and reports what is wrong with it.
func (c *checker) upstream(path string, item any) (balance.Upstream, bool) {
	if text, isText := item.(string); isText {
		u, err := balance.ParseUpstream(text)
		if err != nil {
			c.fail(path, "%v", err)
		}
		return u, err == nil
	}
	table, isTable := item.(map[string]any)
	if !isTable {
		c.fail(path, "%v is not an upstream: write a text such as %q, or a table with address, weight and metadata", item, upstreamExample)
		return balance.Upstream{}, false
	}
	before := len(c.problems)
	u := c.upstreamTable(path, table)
	return u, len(c.problems) == before
}

func (c *checker) upstreamTable(path string, table map[string]any) balance.Upstream {
	u := balance.Upstream{Weight: 1}
	known := map[string]string{} // the known keys in the table's own spelling: Traefik's users write them in any case
	rest := map[string]any{}
	for key := range table {
		switch name := strings.ToLower(key); {
		case name != "address" && name != "weight" && name != "metadata":
			rest[key] = table[key]
		case known[name] != "":
			c.fail(path+"."+name, "%s is given twice, in different spellings", name)
		default:
			known[name] = key
		}
	}
	c.rest(path+".", rest, []string{"address", "weight", "metadata"})
	u.Name, _ = table[known["address"]].(string)
	if words := strings.Fields(u.Name); len(words) != 1 || words[0] != u.Name {
		c.fail(path+".address", "%q is not an address: a table holds nothing else there, and weight and metadata have keys of their own", u.Name)
	}
	if weight, isThere := table[known["weight"]]; isThere {
		u.Weight = c.upstreamWeight(path+".weight", weight)
	}
	if metadata, isThere := table[known["metadata"]]; isThere {
		pairs, isTable := metadata.(map[string]any)
		if !isTable {
			c.fail(path+".metadata", "%v is not a table such as {version: v1}", metadata)
		}
		u.Metadata = c.pairs(path+".metadata", pairs)
	}
	return u
}

// upstreamWeight reads a weight, which decoders deliver as a number of some kind or as a text.
func (c *checker) upstreamWeight(path string, value any) int {
	text := fmt.Sprint(value)
	if number, isFloat := value.(float64); isFloat {
		text = strconv.FormatFloat(number, 'f', -1, 64)
	}
	weight, err := balance.ParseUpstreamWeight(text)
	if err != nil {
		c.fail(path, "%v", err)
	}
	return weight
}

// pairs reads metadata, of an upstream or to select upstreams by.
func (c *checker) pairs(path string, table map[string]any) map[string]string {
	pairs := make(map[string]string, len(table))
	for _, key := range sortedKeys(table) {
		place := path + "." + key
		text, isText := table[key].(string)
		if _, isTable := table[key].(map[string]any); isTable {
			c.fail(place, "a table is no value: in a label every dot of a key begins a new level, so metadata there have keys without dots")
		} else if !isText {
			c.fail(place, "%v is not a text: put it in quotes", table[key])
		} else if err := balance.CheckMetadata(key, text); err != nil {
			c.fail(place, "%v", err)
		}
		pairs[key] = text
	}
	return pairs
}

// sortedKeys returns the keys of a section, so that its problems come in the same order each time.
func sortedKeys(table map[string]any) []string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// keysOf returns the keys of metadata, sorted.
func keysOf(metadata map[string]string) []string {
	keys := make([]string, 0, len(metadata))
	for key := range metadata {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
