package mirror

import (
	"fmt"
	"strconv"
	"strings"
)

// Path is a place in JSON documents, or many:
//
//	$.meta.request_id        a member of a member
//	$.items[*].updated_at    a member of every element of an array
//	$.items[*]               the elements themselves
//	$.prices.*               every member of an object
//	$..etag                  all members of that name, however deep
//	$["a.b"]                 a member whose name is not plain
//
// What lies below a place belongs to it. Places in an array are not told apart.
type Path struct {
	text  string
	steps []string // ".name", "[*]", ".*" for any name, ".." for any steps
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

const (
	element   = "[*]"
	anyMember = ".*"
	anyDepth  = ".."
)

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	rest, rooted := strings.CutPrefix(text, "$")
	if !rooted || rest == "" {
		return Path{}, fmt.Errorf("%q is no path into JSON: it begins with $ and names a member, such as $.items[*].updated_at", text)
	}
	p := Path{text: text}
	for rest != "" {
		steps, after, err := step(rest)
		if err != nil {
			return Path{}, fmt.Errorf("%q is no path into JSON: %w", text, err)
		}
		p.steps = append(p.steps, steps...)
		rest = after
	}
	return p, nil
}

// step reads one step, or two after "..", off the beginning of a text, and returns the rest.
func step(text string) ([]string, string, error) {
	if strings.HasPrefix(text, "[") {
		return bracket(text)
	}
	after, deep := strings.CutPrefix(text, anyDepth)
	if !deep {
		var dotted bool
		after, dotted = strings.CutPrefix(text, ".")
		if !dotted {
			return nil, "", fmt.Errorf("%q has to begin with a point or a bracket", text)
		}
	}
	end := strings.IndexAny(after, ".[")
	if end < 0 {
		end = len(after)
	}
	if end == 0 {
		return nil, "", fmt.Errorf("a name is missing before %q", after)
	}
	steps := []string{"." + after[:end]}
	if deep {
		steps = []string{anyDepth, "." + after[:end]}
	}
	rest := after[end:]
	return steps, rest, nil
}

// bracket reads a step in brackets.
func bracket(text string) ([]string, string, error) {
	for _, every := range []string{element, "[]"} {
		after, ok := strings.CutPrefix(text, every)
		if ok {
			return []string{element}, after, nil
		}
	}
	quoted, err := strconv.QuotedPrefix(text[1:])
	if err != nil || quoted[0] != '"' {
		return nil, "", fmt.Errorf(`%q: brackets hold * or a name in double quotes`, text)
	}
	name, err := strconv.Unquote(quoted)
	after, closed := strings.CutPrefix(text[1+len(quoted):], "]")
	if err != nil || !closed {
		return nil, "", fmt.Errorf("%q: a closing bracket is missing", text)
	}
	return []string{"." + name}, after, nil
}

// covers reports whether a path leads to a place, or to one above it.
func covers(pattern, place []string) bool {
	for i, want := range pattern {
		if want == anyDepth {
			return coversDeep(pattern[i+1:], place[i:])
		}
		if i >= len(place) || !fits(want, place[i]) {
			return false
		}
	}
	return true
}

// coversDeep is covers after any number of steps.
func coversDeep(pattern, place []string) bool {
	for from := range place {
		if covers(pattern, place[from:]) {
			return true
		}
	}
	return false
}

func fits(want, step string) bool {
	return want == step || want == anyMember && step != element
}

// spelled returns a place as a path is written.
func spelled(place []string) string {
	var text strings.Builder
	text.WriteByte('$')
	for _, step := range place {
		if step == element || isPlain(step[1:]) {
			text.WriteString(step)
		} else {
			text.WriteString("[" + strconv.Quote(step[1:]) + "]")
		}
		if text.Len() > maxValue {
			text.WriteString("…")
			break
		}
	}
	return text.String()
}

// isPlain reports whether a member's name stands in a path without quotes.
func isPlain(name string) bool {
	return name != "" && name != "*" && !strings.ContainsAny(name, ".[]\"\\") && strconv.Quote(name) == `"`+name+`"`
}
