package mirror

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Comparison says what answers have to agree in. A target that does not answer at all always differs.
type Comparison struct {
	// Status compares the status codes.
	Status bool

	// Headers are the names of headers whose fields are compared, in canonical spelling.
	Headers []string

	// Body compares the bodies, byte by byte, behind a gzip encoding.
	Body bool

	// JSON compares the values of bodies that are JSON: neither white space nor the order of an object's members counts, and
	// 1.0 is 1. Bodies of which neither is JSON are compared byte by byte.
	JSON bool

	// AnyOrder compares arrays as if they were sorted.
	AnyOrder bool

	// Ignore are the places of JSON that may differ.
	Ignore []Path

	// Content shows in pairs what is in bodies and queries. Off, because it is the users'.
	Content bool
}

const (
	maxFindings = 32  // in one pair of answers
	maxValue    = 200 // bytes of a value that is shown
	maxPath     = 500 // bytes of a URL that is shown
)

// findings are the fields in which two answers differ.
type findings struct {
	list    []Difference
	found   map[string]bool
	content bool // whether what is in bodies is shown
}

// add keeps a field, and how it differed, if it is the first of that name.
func (f *findings) add(field, baseline, target string) {
	if f.found[field] || len(f.list) == maxFindings {
		return
	}
	if f.found == nil {
		f.found = map[string]bool{}
	}
	f.found[field] = true
	f.list = append(f.list, Difference{Field: field, Baseline: clipped(baseline, maxValue), Target: clipped(target, maxValue)})
}

// addContent is add for what is in bodies.
func (f *findings) addContent(field, baseline, target string) {
	if !f.content {
		baseline = ""
		target = ""
	}
	f.add(field, baseline, target)
}

// clipped returns a text that is no longer than so many bytes, and valid UTF-8.
func clipped(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// compare compares what a request was answered, if all of that is known.
func (r *Runner) compare(k *copying, request *http.Request, client, target, control *answer) {
	ledger := k.mirror.ledger
	if !isComparable(client, target, control, k.mirror.settings.Timeout) {
		ledger.Counts.Uncompared.Add(1)
		return
	}
	r.comparing.Lock()
	o := k.mirror.settings.Compare.outcome(client, target, control)
	r.comparing.Unlock()
	if o == nil {
		ledger.Counts.Uncompared.Add(1)
		return
	}
	o.pair = Pair{Time: time.Now(), Method: request.Method, Path: shownPath(request.URL, k.mirror.settings.Compare.Content),
		RequestID: clipped(k.header.Get("X-Request-Id"), maxValue), Baseline: client.latency, Target: target.latency}
	ledger.record(k.differences, o)
}

// isComparable reports whether answers say something about the target. One that it owes after the time-out does not, if the
// client had to wait as long.
func isComparable(client, target, control *answer, timeout time.Duration) bool {
	switch {
	case client == nil || target.fault == stopped:
		return false
	case control != nil && control.fault == stopped:
		return false
	}
	return target.fault != timedOut || client.latency < timeout
}

// outcome compares answers. It returns nil if they cannot be compared.
func (c *Comparison) outcome(client, target, control *answer) *outcome {
	o := &outcome{controlled: control != nil, target: &findings{content: c.Content}, control: &findings{}}
	o.latency.baseline = client.latency
	if target.fault == none {
		o.latency.target = target.latency
	}
	if !c.answers(o.target, client, target) || control != nil && !c.answers(o.control, client, control) {
		return nil
	}
	return o
}

// answers finds the fields in which two answers differ, and reports whether it could.
func (c *Comparison) answers(f *findings, baseline, target *answer) bool {
	if target.fault != none {
		f.add("answer", "there is one", faultNames[target.fault])
		return true
	}
	if c.Status && baseline.status != target.status {
		f.add("status", strconv.Itoa(baseline.status), strconv.Itoa(target.status))
	}
	for _, name := range c.Headers {
		first, second := strings.Join(baseline.header[name], ", "), strings.Join(target.header[name], ", ")
		if first != second {
			f.add("header "+name, c.shownHeader(name, first), c.shownHeader(name, second))
		}
	}
	return c.bodies(f, baseline, target)
}

// faultNames tell why there is no answer.
var faultNames = map[fault]string{timedOut: "timed out", failed: "failed"}

// bodies finds where two bodies differ, and reports whether it could.
func (c *Comparison) bodies(f *findings, baseline, target *answer) bool {
	if !c.Body && !c.JSON {
		return true
	}
	if bytes.Equal(baseline.body, target.body) && baseline.cut == target.cut {
		return true
	}
	first, known := baseline.decoded()
	second, alsoKnown := target.decoded()
	if !known || !alsoKnown {
		return false
	}
	same := bytes.Equal(first, second) && baseline.cut == target.cut
	isJSON := c.JSON && !same && c.documents(f, first, second)
	if !same && (c.Body || !isJSON) {
		f.add("body", digest(first), digest(second))
	}
	return true
}

// documents finds where two JSON documents differ, and reports whether either is one.
func (c *Comparison) documents(f *findings, baseline, target []byte) bool {
	first, isFirst := parse(baseline)
	second, isSecond := parse(target)
	switch {
	case isFirst && isSecond:
		compareJSON(f, c, first, second)
	case isFirst:
		f.add("$", "JSON", "not JSON")
	case isSecond:
		f.add("$", "not JSON", "JSON")
	}
	return isFirst || isSecond
}

// digest stands for a body where that is not shown.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:8])
}

// secret are headers whose fields are never shown.
var secret = map[string]bool{"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Set-Cookie": true,
	"Authentication-Info": true, "Proxy-Authentication-Info": true}

// shownHeader returns what is shown of a header's fields. Where there is a URL among them its query may be a secret.
func (c *Comparison) shownHeader(name, fields string) string {
	if fields == "" {
		return "(absent)"
	}
	if secret[name] {
		return "(hidden)"
	}
	before, _, has := strings.Cut(fields, "?")
	if has && !c.Content {
		return before + "?…"
	}
	return fields
}

// shownPath returns what is shown of a request's URL: of the query only the names, unless its content is asked for.
func shownPath(u *url.URL, content bool) string {
	query := u.RawQuery
	if !content {
		query = names(query)
	}
	path := u.EscapedPath()
	if query != "" {
		path += "?" + query
	}
	return clipped(path, maxPath)
}

// names returns the names of a query's parameters. What has no value may be one without a name.
func names(query string) string {
	if query == "" {
		return ""
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "…"
	}
	var list []string
	for name, of := range values {
		if strings.Join(of, "") == "" {
			list = append(list, "…")
		} else {
			list = append(list, url.QueryEscape(name)+"=…")
		}
	}
	sort.Strings(list)
	return strings.Join(list, "&")
}
