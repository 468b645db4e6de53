package main

import (
	"fmt"
	"slices"
	"strings"
)

// page is a page about structs: its roots, and all that they are made of.
type page struct {
	title        string
	introduction string
	roots        []root
	key          func(field) string // as the page's readers write it; "": they cannot
	plain        bool               // names may say all that there is to say
}

// root is a struct that nothing else on the page leads to.
type root struct {
	structure string // such as core.Config
	title     string
	where     string // it is written
}

const generated = "<!-- This page is made of the code: see integration/reference. -->\n"

// text returns the page.
func (p page) text(c *code) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n%s\n", p.title, generated, p.introduction)
	titles := map[string]string{}
	for _, r := range p.roots {
		titles[r.structure] = r.title
	}
	var missing []string
	order := p.reached(c)
	for _, name := range order {
		if titles[name] == "" {
			titles[name] = title(name, order)
		}
	}
	for _, name := range order {
		s := c.structs[name]
		if s == nil {
			return "", fmt.Errorf("there is no %s", name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n", titles[name])
		for _, r := range p.roots {
			if r.structure == name {
				fmt.Fprintf(&b, "%s\n\n", r.where)
			}
		}
		fmt.Fprintf(&b, "%s\n", c.markdown(s.doc, titles, p.key))
		for _, f := range c.fields(name) {
			key := p.key(f)
			if key == "" {
				continue
			}
			if f.doc == "" && !p.plain {
				missing = append(missing, name+"."+f.name)
			}
			held, known := kind(c, f, titles)
			if !known {
				return "", fmt.Errorf("%s.%s holds %s: read its package, or say in words what that is", name, f.name, f.element)
			}
			fmt.Fprintf(&b, "\n**`%s`** %s\n", key, held)
			if f.doc != "" {
				fmt.Fprintf(&b, "\n%s\n", c.markdown(f.doc, titles, p.key))
			}
		}
	}
	if missing != nil {
		return "", fmt.Errorf("no comment says what these are: %s", strings.Join(missing, ", "))
	}
	return b.String(), nil
}

// reached returns the structs of the page, each behind the first that leads to it.
func (p page) reached(c *code) []string {
	var order []string
	var visit func(name string)
	visit = func(name string) {
		if slices.Contains(order, name) {
			return
		}
		order = append(order, name)
		for _, f := range c.fields(name) {
			if next := f.leadsTo; p.key(f) != "" && c.structs[next] != nil {
				visit(next)
			}
		}
	}
	for _, r := range p.roots {
		visit(r.structure)
	}
	return order
}

// title returns what a struct is called on a page: its name, with its package's only if another has the name too.
func title(name string, all []string) string {
	_, short, _ := strings.Cut(name, ".")
	for _, other := range all {
		if other != name && strings.HasSuffix(other, "."+short) {
			return strings.ReplaceAll(name, ".", " ")
		}
	}
	return short
}

// kind says in words what a field holds; false if there are none.
func kind(c *code, f field, titles map[string]string) (words string, known bool) {
	one, many := "a text", "texts"
	switch {
	case titles[f.leadsTo] != "":
		link := fmt.Sprintf("[%s](#%s)", titles[f.leadsTo], anchor(titles[f.leadsTo]))
		one, many = "an object: "+link, link
	case f.element == "bool":
		one, many = "`true` or `false`", "`true` or `false`"
	case slices.Contains([]string{"int", "int64", "float64", "uint64"}, f.element):
		one, many = "a number", "numbers"
	case f.element == "time.Duration":
		one, many = "nanoseconds", "nanoseconds"
	case f.element == "time.Time":
		one, many = "a time", "times"
	case f.element == "any":
		one, many = "a text or an object", "texts or objects"
	case f.element == "json.RawMessage":
		one, many = "an object of Caddy's", "objects of Caddy's"
	case strings.HasPrefix(f.element, "caddyhttp."):
		one, many = "a list of Caddy's", "lists of Caddy's"
	case f.element != "string" && !c.texts[f.leadsTo]:
		return "", false
	}
	switch f.shape {
	case list:
		return "– a list of " + many, true
	case table:
		return "– an object of " + many, true
	}
	return "– " + one, true
}

// anchor returns the name that a heading has as the target of a link.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, heading)
}
