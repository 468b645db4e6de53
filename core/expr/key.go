package expr

// Key is the compiled list of values that identify a client for the split, in order of preference.
type Key struct {
	values []*value
	random bool // random() stands at the end

	// Of the first value, for Plain.
	header string // that holds it; "" if it is not in a header
	name   string // of the cookie
	cookie string // the name with an equals sign; "" if it is not a cookie
	second string // that, after a semicolon and a blank
}

// ParseKey compiles the values of a key. Problems come back by the index of their source.
func ParseKey(sources []string, host Host) (*Key, [][]error) {
	key := &Key{}
	problems := make([][]error, len(sources))
	failed := false
	for i, source := range sources {
		c := &checker{source: source, host: host}
		if tree := c.parse(`a value such as cookie("uid")`); tree != nil {
			v := c.value(tree)
			switch {
			case v == nil:
			case v.source != fromRandom:
				key.values = append(key.values, v)
			case i < len(sources)-1:
				c.fail(1, "random() is always there, so what follows it is never asked: put it last")
			default:
				key.random = true
			}
		}
		problems[i] = c.problems
		failed = failed || len(c.problems) > 0
	}
	if failed {
		return nil, problems
	}
	if len(key.values) > 0 {
		key.prepare(key.values[0])
	}
	return key, nil
}

// prepare tells Plain where the key's first value is.
func (k *Key) prepare(first *value) {
	switch first.source {
	case fromHeader:
		k.header = first.name
	case fromCookie:
		k.header = "Cookie"
		k.name = first.name
		k.cookie = first.pair
		k.second = first.second
	}
}

// RandomKey is a key that identifies nobody: every request is drawn anew.
func RandomKey() *Key { return &Key{random: true} }

// Random reports whether a request without any of the values is drawn at random.
func (k *Key) Random() bool { return k.random }

// Read returns the first value of the key that the request has and that is not empty, or else the input's Client.
func Read(k *Key, in *Input) string {
	for _, v := range k.values {
		if text, _ := read(v, in); text != "" {
			return text
		}
	}
	return in.Client
}
