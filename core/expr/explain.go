package expr

import (
	"fmt"
	"net/http"
	"strings"
)

// Part is a part of a condition, and what became of it for one request. The parts of a condition come in the order in
// which they are written, each behind the one that it is a part of.
type Part struct {
	// Expression is the part as it is written.
	Expression string `json:"expression"`

	// Depth is how deep it stands in parts that && || and ! are made of: 0 is the condition itself.
	Depth int `json:"depth"`

	// Result is "true", "false", "open": it depends on status(), which is known once the request is answered, or "skipped": the
	// parts before it decide.
	Result string `json:"result"`

	// Looked is what a part without parts looked at, such as header("X-Version"), and Saw what that was, its first KiB.
	// Absent tells that the request does not have it.
	Looked string `json:"looked_at,omitempty"`
	Saw    string `json:"saw,omitempty"`
	Absent bool   `json:"absent,omitempty"`
}

// What becomes of a part.
const (
	Held    = "true"
	Failed  = "false"
	Open    = "open"
	Skipped = "skipped"
)

// KeyPart is a value of a key, and what of it a request has.
type KeyPart struct {
	Looked string `json:"looked_at"`
	Saw    string `json:"saw,omitempty"`
	Absent bool   `json:"absent,omitempty"`

	// Used tells that it is the first that is there and not empty, so that it identifies the client.
	Used bool `json:"used,omitempty"`
}

// Assumed is what somebody says of a request that cannot be known where it is explained. The zero value is nothing.
type Assumed struct {
	// Places are answers of geo() by field, and Placeholders those of placeholder() by name. What is missing is asked as
	// usual, and an empty text is absent.
	Places, Placeholders map[string]string
}

// Assume has claim() read these claims, and verify no token; nil are none.
func (in *Input) Assume(claims [][]string) {
	in.claimed = true
	in.claims = claims
}

// Drew reports whether random() was asked, so that another request of the same kind may get another answer.
func (in *Input) Drew() bool { return in.hasRandom }

// Explain answers a condition as [Next] does, or as far as [Settle] does, and tells what became of its parts.
func Explain(c *Condition, in *Input, assumed *Assumed) (result string, parts []Part) {
	x := &explainer{in: in, assumed: assumed}
	result = x.explain(c.root, 0, true)
	return result, x.parts
}

type explainer struct {
	in      *Input
	assumed *Assumed
	parts   []Part
}

// explain adds a part and its parts, and returns what became of it. What is not reached is not looked at.
func (x *explainer) explain(n *node, depth int, reached bool) string {
	at := len(x.parts)
	x.parts = append(x.parts, Part{Expression: n.text, Depth: depth})
	result := x.answer(n, at, depth, reached)
	if !reached {
		result = Skipped
	}
	x.parts[at].Result = result
	return result
}

func (x *explainer) answer(n *node, at, depth int, reached bool) string {
	switch n.kind {
	case isTrue:
		return Held
	case isFalse:
		return Failed
	case isNot:
		if n.left.kind == isTest && n.left.text == "" { // !=
			return opposite(x.test(&n.left.test, at, reached))
		}
		return opposite(x.explain(n.left, depth+1, reached))
	case isAnd, isOr:
		decides := Failed // what ends it
		if n.kind == isOr {
			decides = Held
		}
		result := opposite(decides)
		for _, operand := range operands(n, n.kind, nil) {
			switch x.explain(operand, depth+1, reached) {
			case decides:
				result = decides
				reached = false
			case Open:
				result = Open
			}
		}
		return result
	}
	return x.test(&n.test, at, reached)
}

func opposite(result string) string {
	switch result {
	case Held:
		return Failed
	case Failed:
		return Held
	}
	return result
}

// operands returns what a chain of one operator combines, in order.
func operands(n *node, kind kind, list []*node) []*node {
	if n.kind != kind {
		return append(list, n)
	}
	list = operands(n.left, kind, list)
	return operands(n.right, kind, list)
}

// test answers a test, as programs do, and says in a part what it saw.
func (x *explainer) test(t *test, at int, reached bool) string {
	v := t.value
	if v == nil {
		v = nothing
	}
	v = assume(v, x.assumed)
	seen := seenBy(t.op, v)
	if seen != nothing {
		x.parts[at].Looked = describe(seen)
	}
	switch {
	case !reached:
		return Skipped
	case t.isOfStatus():
		return Open
	case seen != nothing:
		text, ok := readAll(seen, t.op, x.in)
		x.parts[at].Saw = shown(text)
		x.parts[at].Absent = !ok
	}
	asked := *t
	asked.value = v
	text, ok := read(v, x.in)
	if asked.holds(x.in, text, ok) {
		return Held
	}
	return Failed
}

// maxShown is how much of a value is shown, in bytes: many parts may look at the same one.
const maxShown = 1 << 10

func shown(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}

// seenBy returns the value that a test looks at, which for addresses is the client's.
func seenBy(op operation, v *value) *value {
	if op == addressEqual || op == addressIn || op == addressInFile {
		return &value{source: fromIP}
	}
	return v
}

// readAll returns all that a test sees of a value: more than the first field, where it looks into lists.
func readAll(v *value, op operation, in *Input) (string, bool) {
	text, ok := read(v, in)
	if op != has || !ok {
		return text, ok
	}
	plain := v
	if v.source == fromLowered {
		plain = v.plain
	}
	switch plain.source {
	case fromHeader:
		text = strings.Join(in.Request.Header[plain.name], ", ")
	case fromQuery:
		text = strings.Join(in.parameters()[plain.name], ", ")
	case fromClaim:
		if claim := claimOf(plain, in); len(claim) > 1 {
			text = strings.Join(claim[1:], ", ")
		}
	}
	if v.source == fromLowered {
		text = strings.ToLower(text)
	}
	return text, true
}

// ExplainKey returns what [Read] does, and what the request has of every value of the key.
func ExplainKey(k *Key, in *Input, assumed *Assumed) (string, []KeyPart) {
	key := ""
	parts := make([]KeyPart, 0, len(k.values))
	for _, v := range k.values {
		v := assume(v, assumed)
		text, ok := read(v, in)
		part := KeyPart{Looked: describe(v), Saw: shown(text), Absent: !ok, Used: key == "" && text != ""}
		if part.Used {
			key = text
		}
		parts = append(parts, part)
	}
	if key == "" {
		key = in.Client
	}
	return key, parts
}

// assume returns a value that is read from what is assumed, if that says something of it.
func assume(v *value, assumed *Assumed) *value {
	known := assumed.Placeholders
	switch v.source {
	case fromLowered:
		return &value{source: fromLowered, plain: assume(v.plain, assumed)}
	case fromGeo:
		known = assumed.Places
	case fromPlaceholder:
	default:
		return v
	}
	text, ok := known[v.name]
	if !ok {
		return v
	}
	said := func(_ *http.Request, _ string) (string, bool) { return text, text != "" }
	return &value{source: fromPlaceholder, name: v.name, lookup: said, isPlace: v.source == fromGeo}
}

// describe writes a value as conditions do.
func describe(v *value) string {
	if v.source == fromLowered {
		return describe(v.plain) + ".lower()"
	}
	source := v.source
	name := v.name
	switch {
	case source == fromHost:
		source = fromHeader
		name = "Host"
	case v.isPlace:
		source = fromGeo
	}
	for _, f := range functions {
		if f.source == source && f.named {
			return fmt.Sprintf("%s(%q)", f.name, name)
		}
		if f.source == source {
			return f.name + "()"
		}
	}
	return "" // nothing
}

// Values returns the functions and the names of the values of a key, such as "cookie" and "uid".
func (k *Key) Values() [][2]string {
	list := make([][2]string, 0, len(k.values))
	for _, v := range k.values {
		plain := v
		for plain.source == fromLowered {
			plain = plain.plain
		}
		source := plain.source
		name := plain.name
		if source == fromHost {
			source = fromHeader
			name = "Host"
		}
		for _, f := range functions {
			if f.source == source {
				list = append(list, [2]string{f.name, name})
			}
		}
	}
	return list
}
