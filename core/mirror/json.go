package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// What a comparison may cost, whatever the documents are.
const (
	maxDepth = 64     // to which values are taken apart; below they are equal or not
	maxSteps = 20_000 // values that are looked at one by one
)

// parse reads one JSON document and nothing after it. Numbers stay as they are written.
func parse(text []byte) (any, bool) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(&value)
	if err != nil {
		return nil, false
	}
	_, err = decoder.Token()
	ended := errors.Is(err, io.EOF)
	return value, ended
}

// comparer compares two documents. What is alike is left to functions of the standard library, which are fast wherever
// this runs: only what differs is taken apart.
type comparer struct {
	found    *findings
	ignore   []Path
	anyOrder bool
	left     int      // steps that it may still make
	place    []string // where it is
}

func compareJSON(f *findings, c *Comparison, baseline, target any) {
	walk := &comparer{found: f, ignore: c.Ignore, anyOrder: c.AnyOrder, left: maxSteps}
	walk.values(baseline, target)
}

// values compares two values at the place where it is.
func (c *comparer) values(baseline, target any) {
	c.left--
	if c.left < 0 || reflect.DeepEqual(baseline, target) || c.ignored() {
		return
	}
	if len(c.place) < maxDepth {
		object, isObject := baseline.(map[string]any)
		other, isOther := target.(map[string]any)
		if isObject && isOther {
			c.objects(object, other)
			return
		}
		array, isArray := baseline.([]any)
		second, isSecond := target.([]any)
		if isArray && isSecond {
			c.arrays(array, second)
			return
		}
	}
	first, second := text(baseline), text(target)
	if first != second {
		c.found.addContent(spelled(c.place), first, second)
	}
}

// at goes one step down, to where the values are compared, and back.
func (c *comparer) at(step string, baseline, target any) {
	c.place = append(c.place, step)
	c.values(baseline, target)
	c.place = c.place[:len(c.place)-1]
}

func (c *comparer) objects(baseline, target map[string]any) {
	var members []string
	for name := range baseline {
		members = append(members, name)
	}
	for name := range target {
		if _, both := baseline[name]; !both {
			members = append(members, name)
		}
	}
	sort.Strings(members) // so that what is left out does not depend on chance
	for _, name := range members {
		c.member(name, baseline, target)
	}
}

func (c *comparer) member(name string, baseline, target map[string]any) {
	first, has := baseline[name]
	second, alsoHas := target[name]
	if has && alsoHas {
		c.at("."+name, first, second)
		return
	}
	c.missing("."+name, first, second, has)
}

// missing tells that only one document has a value.
func (c *comparer) missing(step string, baseline, target any, has bool) {
	c.left--
	c.place = append(c.place, step)
	if c.left >= 0 && !c.ignored() {
		if has {
			c.found.addContent(spelled(c.place), text(baseline), "(absent)")
		} else {
			c.found.addContent(spelled(c.place), "(absent)", text(target))
		}
	}
	c.place = c.place[:len(c.place)-1]
}

func (c *comparer) arrays(baseline, target []any) {
	if c.anyOrder {
		c.elements(c.unpaired(baseline, target))
		return
	}
	c.elements(baseline, target)
}

func (c *comparer) elements(baseline, target []any) {
	for i := 0; i < len(baseline) || i < len(target); i++ {
		switch {
		case i >= len(target):
			c.missing(element, baseline[i], nil, true)
		case i >= len(baseline):
			c.missing(element, nil, target[i], false)
		default:
			c.at(element, baseline[i], target[i])
		}
	}
}

// unpaired returns the elements that have no equal in the other array, sorted.
func (c *comparer) unpaired(baseline, target []any) ([]any, []any) {
	var first, second []any
	c.place = append(c.place, element)
	left, right := c.sorted(baseline), c.sorted(target)
	c.place = c.place[:len(c.place)-1]
	i, j := 0, 0
	for i < len(left) && j < len(right) {
		switch {
		case left[i].text == right[j].text:
			i++
			j++
		case left[i].text < right[j].text:
			first = append(first, left[i].value)
			i++
		default:
			second = append(second, right[j].value)
			j++
		}
	}
	for ; i < len(left); i++ {
		first = append(first, left[i].value)
	}
	for ; j < len(right); j++ {
		second = append(second, right[j].value)
	}
	return first, second
}

// spelledValue is a value, and a text that equal values have in common.
type spelledValue struct {
	text  string
	value any
}

// sorted returns the values of an array by their texts. sort.Strings does it, as an interpreted less is slow.
func (c *comparer) sorted(array []any) []spelledValue {
	texts := make([]string, len(array))
	by := make(map[string][]any, len(array))
	for i, value := range array {
		texts[i] = c.canonical(value)
		by[texts[i]] = append(by[texts[i]], value)
	}
	sort.Strings(texts)
	list := make([]spelledValue, len(array))
	for i, t := range texts {
		list[i] = spelledValue{text: t, value: by[t][0]}
		by[t] = by[t][1:]
	}
	return list
}

// canonical returns a text that values have in common which do not differ, without what is ignored.
func (c *comparer) canonical(value any) string {
	c.left--
	if c.left < 0 || len(c.place) >= maxDepth {
		return text(value)
	}
	if c.ignored() {
		return ""
	}
	if object, ok := value.(map[string]any); ok {
		return "{" + strings.Join(c.canonicalMembers(object), ",") + "}"
	}
	if array, ok := value.([]any); ok {
		return "[" + strings.Join(c.canonicalElements(array), ",") + "]"
	}
	return text(value)
}

func (c *comparer) canonicalMembers(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	sort.Strings(names)
	var members []string
	for _, name := range names {
		c.place = append(c.place, "."+name)
		if !c.ignored() {
			members = append(members, strconv.Quote(name)+":"+c.canonical(object[name]))
		}
		c.place = c.place[:len(c.place)-1]
	}
	return members
}

func (c *comparer) canonicalElements(array []any) []string {
	var elements []string
	c.place = append(c.place, element)
	for _, value := range array {
		elements = append(elements, c.canonical(value))
	}
	c.place = c.place[:len(c.place)-1]
	sort.Strings(elements)
	return elements
}

// ignored reports whether the place where it is may differ.
func (c *comparer) ignored() bool {
	for i := range c.ignore {
		if covers(c.ignore[i].steps, c.place) {
			return true
		}
	}
	return false
}

// text returns a value as JSON, in which equal numbers are written alike.
func text(value any) string {
	if n, ok := value.(json.Number); ok {
		return number(n.String())
	}
	content, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(content)
}

// number returns a number in one of its spellings. Whole numbers may have more digits than a float64.
func number(written string) string {
	if !strings.ContainsAny(written, ".eE") {
		return written
	}
	f, err := strconv.ParseFloat(written, 64)
	if err != nil || f >= 1<<53 || f <= -(1<<53) {
		return written
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
