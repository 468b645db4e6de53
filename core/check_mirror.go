package core

import (
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/mirror"
)

const (
	maxMirrorTimeout     = 10 * time.Minute
	maxMirrorBody        = 64 << 20
	maxMirrorConcurrency = 10_000
)

// mirroring is a mirror that was read and checked: its settings, but for how copies are sent.
type mirroring struct {
	settings   mirror.Settings
	variant    string   // that gets the copies; "": somebody else does
	url        *url.URL // where they are sent; nil: the gateway reaches the variant
	controlled bool     // whether the baseline gets copies too
	controlURL *url.URL // where these are sent; nil: the gateway reaches the baseline
}

// compares reports whether there will be answers to compare.
func (m *mirroring) compares() bool {
	return m.settings.Compare != nil && m.settings.Share.Slots() > 0
}

// mirrors reads who gets copies of requests.
func (c *checker) mirrors(mirrors []Mirror, p *checked) {
	seen := map[string]bool{}
	for _, i := range inOrder(len(mirrors), func(i int) int { return mirrors[i].Order }) {
		path := fmt.Sprintf("mirrors[%d]", i)
		m := c.mirror(path, mirrors[i], p)
		name := m.settings.Name
		if name != "" && seen[name] {
			c.fail(path, "there are two mirrors %q: give this one a name of its own", name)
		}
		seen[name] = true
		p.mirrors = append(p.mirrors, m)
	}
}

func (c *checker) mirror(path string, config Mirror, p *checked) *mirroring {
	c.rest(path+".", config.Rest, []string{"target", "name", "percent", "when", "methods", "timeout", "max_body", "concurrency", "drop", "compare",
		"ignore", "control", "show", "order"})
	m := &mirroring{}
	c.mirrorTarget(path, config, p, m)
	s := &m.settings
	s.Share = balance.Full
	if config.Percent != "" {
		percent, err := balance.ParseWeight(config.Percent)
		if err != nil {
			c.fail(path+".percent", "%v", err)
		}
		s.Share = percent
	}
	if config.When != "" {
		condition, problems := expr.ParseCondition(config.When, c.exprHost())
		for _, problem := range problems {
			c.fail(path+".when", "%v", problem)
		}
		s.When = condition
	}
	s.Methods = c.mirrorMethods(path+".methods", config.Methods)
	s.Timeout = c.atMost(path+".timeout", config.Timeout, mirror.DefaultTimeout, maxMirrorTimeout)
	s.MaxBody = c.size(path+"."+c.spelled("max_body"), config.MaxBody, mirror.DefaultMaxBody, maxMirrorBody)
	s.Concurrency = config.Concurrency
	if s.Concurrency == 0 {
		s.Concurrency = mirror.DefaultConcurrency
	}
	if s.Concurrency < 1 || s.Concurrency > maxMirrorConcurrency {
		c.fail(path+".concurrency", "%d: there may be copies of 1 to %d requests at once", config.Concurrency, maxMirrorConcurrency)
	}
	for i, header := range config.Drop {
		if !expr.IsToken(header) {
			c.fail(fmt.Sprintf("%s.drop[%d]", path, i), "%q is not a header name", header)
		}
	}
	s.Drop = append(s.Drop, config.Drop...)
	s.Compare = c.comparison(path, config)
	if config.Control != "" {
		c.mirrorControl(path+".control", config, p, m)
	}
	return m
}

// mirrorTarget reads who gets the copies of a mirror, and how it is named.
func (c *checker) mirrorTarget(path string, config Mirror, p *checked, m *mirroring) {
	m.settings.Name = config.Name
	switch {
	case config.Target == "":
		c.fail(path+".target", "who gets the copies? Name a variant, or a URL such as http://10.0.0.9:8080")
	case strings.ContainsAny(config.Target, "/{"):
		m.url = c.mirrorURL(path+".target", config.Target)
		if m.url != nil && config.Name == "" {
			m.settings.Name = m.url.Host
		}
	default:
		if config.Name != "" && config.Name != config.Target {
			c.fail(path+".name", "a mirror to a variant has that one's name: leave %q out", config.Name)
		}
		if c.mirrorVariant(path+".target", config.Target, p) {
			m.variant = config.Target
			m.settings.Name = config.Target
		}
		return
	}
	if config.Name != "" {
		c.name(path+".name", "the mirror", config.Name)
	}
	for i, name := range p.variants {
		if name == config.Name && name != "" {
			m.variant = name
			if i == 0 {
				c.fail(path+".name", "%q is the baseline, whose answers are compared with those of the copies: name another variant, or none", name)
			}
		}
	}
	m.settings.Outside = m.variant == ""
}

// mirrorVariant checks a target that is a variant, and reports whether there is one of that name.
func (c *checker) mirrorVariant(path, name string, p *checked) bool {
	_, _, isAddress := strings.Cut(name, ":")
	if isAddress {
		c.fail(path, "%q is neither a variant nor a URL: write http://%s", name, name)
		return false
	}
	i := c.variant(path, name, p.variants)
	switch {
	case len(p.variants) == 0 || p.variants[i] != name: // which was a problem
		return false
	case i == 0:
		c.fail(path, "%q is the baseline, whose answers are compared with those of the copies: name another variant, or a URL", name)
	case !c.reaches(name, p):
		c.fail(path, "the gateway cannot send copies to %q by itself: write the variant's URL here, such as http://10.0.1.1:8080, and %q as the mirror's name", name, name)
	}
	return true
}

// reaches reports whether the host can send a request to a variant by itself.
func (c *checker) reaches(variant string, p *checked) bool {
	if c.host.Copy == nil && !c.host.dry {
		return false
	}
	if c.host.Handles[variant] || p.balancer == nil {
		return c.host.Handles[variant]
	}
	for i := range p.balancer.variants {
		if p.balancer.variants[i].name == variant {
			return p.balancer.variants[i].pooled
		}
	}
	return false
}

// mirrorURL reads where copies are sent. It returns nil for what cannot be read.
func (c *checker) mirrorURL(path, text string) *url.URL {
	if c.host.dry && strings.Contains(text, "{") {
		return &url.URL{Scheme: "http", Host: text} // which has its value only where the gateway runs
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		c.fail(path, "it is not a URL such as http://10.0.0.9:8080") // which may contain a secret
	case u.User != nil:
		c.fail(path, "credentials in a URL are shown to whoever sees it: leave them out")
	case u.RawQuery != "" || u.Fragment != "":
		c.fail(path, "copies have the query of their request: leave out what follows the path")
	default:
		return u
	}
	return nil
}

func (c *checker) mirrorControl(path string, config Mirror, p *checked, m *mirroring) {
	m.controlled = true
	if m.settings.Compare == nil {
		c.fail(path, "control measures how much the baseline's own answers differ, and none are compared: write what compare looks at, such as status, or leave it out")
	}
	switch {
	case config.Control != "baseline":
		m.controlURL = c.mirrorURL(path, config.Control)
	case len(p.variants) > 0 && !c.reaches(p.variants[0], p):
		c.fail(path, "the gateway cannot send copies to %q by itself: write the baseline's URL here, such as http://10.0.0.1:8080", p.variants[0])
	}
}

func (c *checker) mirrorMethods(path string, methods []string) []string {
	seen := map[string]bool{}
	for i, method := range methods {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !expr.IsToken(method) || method != strings.ToUpper(method):
			c.fail(at, "%q is not a method such as POST: methods are upper case, one each", method)
		case method == http.MethodConnect:
			c.fail(at, "CONNECT makes a connection of its own, which cannot be copied")
		case seen[method]:
			c.fail(at, "%s is given twice", method)
		}
		seen[method] = true
	}
	return methods
}

// comparison reads what answers have to agree in; nil: nothing.
func (c *checker) comparison(path string, config Mirror) *mirror.Comparison {
	read := &mirror.Comparison{}
	for i, item := range config.Compare {
		c.compared(fmt.Sprintf("%s.compare[%d]", path, i), item, read)
	}
	for i, item := range config.Ignore {
		at := fmt.Sprintf("%s.ignore[%d]", path, i)
		if item == "order" {
			read.AnyOrder = true
			continue
		}
		place, err := mirror.ParsePath(item)
		if err != nil {
			c.fail(at, "%v; or it is the word order", err)
		}
		read.Ignore = append(read.Ignore, place)
	}
	if len(config.Ignore) > 0 && !read.JSON {
		c.fail(path+".ignore", "this is about values of JSON, which are not compared: add json to compare, or leave it out")
	}
	switch config.Show {
	case "":
	case "content":
		read.Content = true
	default:
		c.fail(path+".show", `unknown value %q: leave it out, or write "content"`, config.Show)
	}
	if len(config.Compare) == 0 {
		if read.Content {
			c.fail(path+".show", "there is nothing to show, as answers are not compared: write what compare looks at, or leave it out")
		}
		return nil
	}
	return read
}

// compared reads one thing in which answers have to agree.
func (c *checker) compared(path, item string, into *mirror.Comparison) {
	known := []string{"status", "header", "body", "json"}
	words := strings.Fields(item)
	word := ""
	if len(words) > 0 {
		word = words[0]
	}
	if word == "header" {
		if len(words) != 2 || !expr.IsToken(words[1]) {
			c.fail(path, `%q: which header? Write one, such as "header Content-Type"`, item)
			return
		}
		into.Headers = append(into.Headers, http.CanonicalHeaderKey(words[1]))
		return
	}
	if len(words) != 1 {
		word = ""
	}
	switch word {
	case "status":
		into.Status = true
	case "body":
		into.Body = true
	case "json":
		into.JSON = true
	default:
		hint := expr.Suggest(item, known)
		if hint == "" {
			hint = "; there are status, header <name>, body and json"
		}
		c.fail(path, "unknown comparison %q%s", item, hint)
	}
}

// units are what sizes are counted in, in bytes.
var units = map[string]int{"": 1, "b": 1, "kb": 1000, "kib": 1 << 10, "mb": 1_000_000, "mib": 1 << 20}

// size reads a size in bytes, such as 64KiB.
func (c *checker) size(path, text string, otherwise, limit int) int {
	if text == "" {
		return otherwise
	}
	digits := strings.TrimRight(text, "BKMbkmi ")
	unit := units[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || unit == 0 {
		c.fail(path, "%q is not a size such as 64KiB or 1MB", text)
		return otherwise
	}
	if n > limit/unit {
		c.fail(path, "%s is too much: %d MiB at most", text, limit>>20)
		return otherwise
	}
	return n * unit
}

// comparedVariants returns the names of the variants of which a mirror compares the answers, in alphabetical order.
func (p *checked) comparedVariants() []string {
	var names []string
	for _, m := range p.mirrors {
		if m.variant != "" && m.compares() {
			names = append(names, m.variant)
		}
	}
	sort.Strings(names)
	return names
}
