package core

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// shop has a variant of each kind that there is.
func shop() Config {
	return Config{
		Name: "shop",
		Variants: []Variant{
			{Name: "stable", Where: map[string]any{"version": "v1"}},
			{Name: "canary", Where: map[string]any{"version": "v2", "zone": "eu"}},
			{Name: "own", Upstreams: []any{"o1:80"}},
		},
		Upstreams: []any{
			"s1:80 weight=9 version=v1",
			"c1:80 version=v2 zone=eu",
			map[string]any{"address": "c2:80", "weight": 2, "metadata": map[string]any{"version": "v2", "zone": "us"}},
		},
		Subsets: []Subset{{Key: "zone", Value: `header("X-Zone")`, Otherwise: "any"}, {Key: "version", Value: `header("X-Version")`}},
	}
}

// withTable returns upstreams whose third is this table.
func withTable(table map[string]any) []any { return append(shop().Upstreams[:2], table) }

// poolMistakes are all that can be wrong with upstreams and subsets, but for the texts, which package balance tests.
var poolMistakes = []struct {
	name   string
	change func(c *Config)
	want   string
}{
	{"nothing", func(c *Config) {}, ""},
	{"a bad text", func(c *Config) { c.Upstreams[1] = "c1:80 weight=x" }, `upstreams[1]: "x" is not the weight of an upstream: write a whole number from 0, which drains it, to 65535`},
	{"a bad text of a variant's own", func(c *Config) { c.Variants[2].Upstreams = []any{"o1:80", "zone=eu o2:80"} },
		`variants[2].upstreams[1]: "zone=eu" stands where the address belongs: it comes first, as in 10.0.0.1:8080 weight=9 version=v1`},
	{"an address twice", func(c *Config) { c.Upstreams = append(c.Upstreams, "s1:80 version=v3") }, `upstreams[3]: s1:80 stands at upstreams[0] already: give it a larger weight there`},
	{"an address in both pools", func(c *Config) { c.Variants[2].Upstreams = []any{"s1:80"} }, ""},
	{"a number", func(c *Config) { c.Upstreams[0] = 8080 }, `upstreams[0]: 8080 is not an upstream: write a text such as "10.0.0.1:8080 weight=9 version=v1", or a table with address, weight and metadata`},
	{"nil", func(c *Config) { c.Upstreams[0] = nil }, `upstreams[0]: <nil> is not an upstream: write a text such as "10.0.0.1:8080 weight=9 version=v1", or a table with address, weight and metadata`},
	{"too many", func(c *Config) { c.Upstreams = make([]any, 16385); c.Subsets = nil; c.Variants = c.Variants[2:] }, `upstreams: 16385 upstreams are too many: 16384 at most` +
		"\nupstreams: no variant uses the shared pool: each is served in a way of its own"},

	{"a table without an address", func(c *Config) { c.Upstreams = withTable(map[string]any{"weight": 1}) }, `upstreams[2].address: "" is not an address: a table holds nothing else there, and weight and metadata have keys of their own`},
	{"a table with a text as an address", func(c *Config) { c.Upstreams = withTable(map[string]any{"address": "c2:80 weight=2"}) },
		`upstreams[2].address: "c2:80 weight=2" is not an address: a table holds nothing else there, and weight and metadata have keys of their own`},
	{"an unknown key of a table", func(c *Config) { c.Upstreams = withTable(map[string]any{"aadress": "c2:80"}) }, `upstreams[2].aadress: unknown key (did you mean "address"?)` +
		"\n" + `upstreams[2].address: "" is not an address: a table holds nothing else there, and weight and metadata have keys of their own`},
	{"a key of a table twice", func(c *Config) { c.Upstreams = withTable(map[string]any{"address": "c2:80", "Address": "c3:80"}) }, `upstreams[2].address: address is given twice, in different spellings`},
	{"keys of a table in upper case", func(c *Config) { c.Upstreams = withTable(map[string]any{"Address": "c2:80", "WEIGHT": "5"}) }, ""},
	{"weights as decoders deliver them", func(c *Config) {
		c.Upstreams = append(withTable(map[string]any{"address": "a", "weight": float64(65535)}), map[string]any{"address": "b", "weight": int64(0)}, map[string]any{"address": "c", "weight": uint8(7)})
	}, ""},
	{"half a weight", func(c *Config) { c.Upstreams = withTable(map[string]any{"address": "c2:80", "weight": 0.5}) }, `upstreams[2].weight: "0.5" is not the weight of an upstream: write a whole number from 0, which drains it, to 65535`},
	{"an enormous weight", func(c *Config) { c.Upstreams = withTable(map[string]any{"address": "c2:80", "weight": 1e18}) }, `upstreams[2].weight: "1000000000000000000" is not the weight of an upstream: write a whole number from 0, which drains it, to 65535`},
	{"a weight that is a list", func(c *Config) { c.Upstreams = withTable(map[string]any{"address": "c2:80", "weight": []any{1}}) }, `upstreams[2].weight: "[1]" is not the weight of an upstream: write a whole number from 0, which drains it, to 65535`},
	{"metadata that are a text", func(c *Config) { c.Upstreams = withTable(map[string]any{"address": "c2:80", "metadata": "version=v2"}) }, `upstreams[2].metadata: version=v2 is not a table such as {version: v1}`},
	{"metadata that are numbers", func(c *Config) {
		c.Upstreams = withTable(map[string]any{"address": "c2:80", "metadata": map[string]any{"version": 1.1, "zone": true, "tier": "1"}})
	}, "upstreams[2].metadata.version: 1.1 is not a text: put it in quotes\nupstreams[2].metadata.zone: true is not a text: put it in quotes"},
	{"metadata with a dot in a label", func(c *Config) {
		c.Upstreams = withTable(map[string]any{"address": "c2:80", "metadata": map[string]any{"app": map[string]any{"version": "v1"}}})
	}, `upstreams[2].metadata.app: a table is no value: in a label every dot of a key begins a new level, so metadata there have keys without dots`},
	{"metadata of two words", func(c *Config) {
		c.Upstreams = withTable(map[string]any{"address": "c2:80", "metadata": map[string]any{"rack": "a b"}})
	},
		`upstreams[2].metadata.rack: rack: "a b" is not one word, and so could not be written in every gateway`},
	{"a misspelt weight", func(c *Config) {
		c.Upstreams[0] = "s1:80 wieght=9 version=v1"
		c.Upstreams = append(c.Upstreams, "s2 wieght=3")
	},
		`upstreams[0]: wieght=9 selects nothing (did you mean "weight"?)`},
	{"what looks like a weight, and is none", func(c *Config) { c.Upstreams[0] = "s1:80 height=9 version=v1"; c.Subsets[1].Key = "height" }, ""},

	{"where and own upstreams", func(c *Config) { c.Variants[2].Where = map[string]any{"version": "v1"} }, `variants[2].where: where chooses upstreams of the shared pool, and the variant has its own: one of them is enough`},
	{"where without a pool", func(c *Config) { c.Upstreams = nil; c.Subsets = nil }, `variants[0].where: where chooses upstreams of the shared pool, and there is none: list them under upstreams` +
		"\nvariants[1].where: where chooses upstreams of the shared pool, and there is none: list them under upstreams"},
	{"where that finds no key", func(c *Config) { c.Variants[0].Where = map[string]any{"verion": "v1"} }, `variants[0].where.verion: no upstream has verion among its metadata (did you mean "version"?)`},
	{"where that finds another key", func(c *Config) { c.Variants[0].Where = map[string]any{"rack": "a"} }, `variants[0].where.rack: no upstream has rack among its metadata; there are version, zone`},
	{"where that finds no value", func(c *Config) { c.Variants[0].Where = map[string]any{"version": "blue"} }, `variants[0].where.version: no upstream has version=blue; there are v1, v2`},
	{"where that finds nobody", func(c *Config) { c.Variants[0].Where = map[string]any{"version": "v1", "zone": "us"} }, `variants[0].where: no upstream has all of these together`},
	{"where with a number", func(c *Config) { c.Variants[0].Where = map[string]any{"version": 1} }, `variants[0].where.version: 1 is not a text: put it in quotes`},
	{"where with a dot in a label", func(c *Config) { c.Variants[0].Where = map[string]any{"app": map[string]any{"version": "v1"}} },
		`variants[0].where.app: a table is no value: in a label every dot of a key begins a new level, so metadata there have keys without dots`},
	{"where among upstreams that cannot be read", func(c *Config) { c.Upstreams[0] = "s1:80 version" },
		`upstreams[0]: "version" is neither weight=<n> nor <key>=<value>: an upstream has one address, and values have no blanks`},
	{"a pool that nobody uses", func(c *Config) { c.Variants = c.Variants[2:] }, `upstreams: no variant uses the shared pool: each is served in a way of its own`},

	{"a subset without a key", func(c *Config) { c.Subsets[0].Key = "" }, `subsets[0].key: which key of the upstreams' metadata must equal the value? Name one such as version`},
	{"a subset by what nobody has", func(c *Config) { c.Subsets[0].Key = "zones" }, `subsets[0].key: no upstream has zones among its metadata (did you mean "zone"?)`},
	{"two subsets by one key", func(c *Config) { c.Subsets[1].Key = "zone" }, `subsets[1].key: there are two subsets by zone: one is enough`},
	{"a subset without a value", func(c *Config) { c.Subsets[0].Value = "" }, `subsets[0].value: column 1: empty expression: write a value such as cookie("uid")`},
	{"a subset with a condition", func(c *Config) { c.Subsets[0].Value = `header("X") == "a"` }, `subsets[0].value: column 1: not a value: header("X") == "a" (write one such as header("X-Version"))`},
	{"a subset by chance", func(c *Config) { c.Subsets[0].Value = `random()` }, `subsets[0].value: random() is nothing that an upstream could have: name a value such as header("X-Version")`},
	{"an unknown policy", func(c *Config) { c.Subsets[0].Otherwise = "anny" }, `subsets[0].otherwise: "anny" is none of baseline, any and none (did you mean "any"?)`},
	{"an unknown key of a subset", func(c *Config) { c.Subsets[0].Rest = map[string]any{"vlaue": "x"} }, `subsets[0].vlaue: unknown key (did you mean "value"?)`},
	{"five subsets", func(c *Config) { c.Subsets = make([]Subset, 5) }, `subsets: 5 subsets are too many: 4 at most`},
	{"subsets of nothing", func(c *Config) { c.Upstreams = nil; c.Variants = []Variant{{Name: "stable"}} }, `subsets: a subset narrows a pool of upstreams, and no variant has one`},
	{"subsets in another order", func(c *Config) { c.Subsets[1].Order = -1; c.Subsets[1].Otherwise = "x" }, `subsets[1].otherwise: "x" is none of baseline, any and none`},
}

func TestPoolMistakes(t *testing.T) {
	for _, test := range poolMistakes {
		config := shop()
		test.change(&config)
		if got := complaints(config, Host{}); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
		if _, err := Compile(config, nil, Host{}); (err == nil) != (test.want == "") {
			t.Errorf("%s: Compile returns %v", test.name, err)
		}
	}
}

// TestMistakesWithBlocks: a gateway says which variants it serves in a way of its own.
func TestMistakesWithBlocks(t *testing.T) {
	host := Host{Handles: map[string]bool{"canary": true, "own": true}}
	want := `variants[1].where: where chooses upstreams of the shared pool, and the variant is served by a block: one of them is enough
variants[2].upstreams: the variant is served by a block, and has upstreams: one of them is enough`
	if got := complaints(shop(), host); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAddressesOfTheGateway: the gateway knows what an address is, and its complaints stand among the others.
func TestAddressesOfTheGateway(t *testing.T) {
	config := shop()
	config.Upstreams[0] = "s1 weight=9 version=v1"
	config.Variants[2].Upstreams = []any{"http://a:b"}
	config.Subsets[0].Otherwise = "x"
	host := Host{Address: func(address string) error {
		if strings.HasPrefix(address, "http:") {
			_, err := url.Parse(address)
			return err
		}
		if !strings.HasSuffix(address, ":80") {
			return errors.New(address + " has no port")
		}
		return nil
	}}
	want := `upstreams[0]: s1 has no port
variants[2].upstreams[0]: parse "http://a:b": invalid port ":b" after host
subsets[0].otherwise: "x" is none of baseline, any and none`
	if got := complaints(config, host); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMistakesOfABalancerAlone(t *testing.T) {
	config := BalancerConfig{
		Upstreams: []any{"a version=v1", "a version=v2", "b wieght=1"},
		Subsets:   []Subset{{Key: "zone", Value: `header("X-Zone"`}},
		Baseline:  map[string]any{"version": "v3"},
	}
	_, problems := CompileBalancer(config, Host{})
	want := `upstreams[1]: a stands at upstreams[0] already: give it a larger weight there
baseline.version: no upstream has version=v3; there are v1
subsets[0].key: no upstream has zone among its metadata; there are version, wieght
subsets[0].value: column 16: missing ',' before the end in argument list
upstreams[2]: wieght=1 selects nothing (did you mean "weight"?)`
	if got := Join(problems).Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
