package metrics

import (
	"io"
	"math"
	"strconv"
	"strings"
)

// Format is a way to write metrics down.
type Format int

const (
	Text        Format = iota // version 0.0.4
	OpenMetrics               // version 1.0.0
)

// ContentType returns the media type of a format.
func ContentType(format Format) string {
	if format == OpenMetrics {
		return "application/openmetrics-text; version=1.0.0; charset=utf-8"
	}
	return "text/plain; version=0.0.4; charset=utf-8"
}

// Write writes the series of some families, whose names get a prefix such as "traefik_rollout_". A family without series is
// left out. The error is that of w.
func Write(w io.Writer, format Format, prefix string, families []*Family, all []Series) error {
	of := map[*Family][]int{}
	for i := range all {
		of[all[i].Of] = append(of[all[i].Of], i)
	}
	page := &page{format: format, prefix: prefix}
	for _, f := range families {
		if len(of[f]) == 0 {
			continue
		}
		page.head(f)
		for _, i := range of[f] {
			page.series(&all[i])
		}
	}
	if format == OpenMetrics {
		page.text.WriteString("# EOF\n")
	}
	_, err := io.WriteString(w, page.text.String())
	return err
}

// page is what was written so far.
type page struct {
	format Format
	prefix string
	text   strings.Builder
}

// head writes what a family is. A counter's name has no _total there in OpenMetrics.
func (p *page) head(f *Family) {
	name := f.Name
	help := textEscapes.Replace(f.Help)
	if p.format == OpenMetrics {
		name = strings.TrimSuffix(name, "_total")
		help = labelEscapes.Replace(f.Help)
	}
	p.write("# HELP ", p.prefix, name, " ", help, "\n# TYPE ", p.prefix, name, " ", string(f.Kind), "\n")
}

func (p *page) series(s *Series) {
	labels := p.labels(s)
	if s.Distribution == nil {
		p.sample(s.Of.Name, labels, p.number(s.Value))
		return
	}
	d := s.Distribution
	within := int64(0)
	for i, n := range d.Counts {
		within += n
		limit := math.Inf(1)
		if i < len(d.Limits) {
			limit = d.Limits[i]
		}
		p.sample(s.Of.Name+"_bucket", joined(labels, `le="`+p.number(limit)+`"`), strconv.FormatInt(within, 10))
	}
	p.sample(s.Of.Name+"_sum", labels, p.number(d.Sum))
	p.sample(s.Of.Name+"_count", labels, strconv.FormatInt(within, 10))
}

func joined(labels, more string) string {
	if labels == "" {
		return more
	}
	return labels + "," + more
}

// labels returns the labels of a series as they are written between braces.
func (p *page) labels(s *Series) string {
	var text strings.Builder
	for i, name := range s.Of.Labels {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(name)
		text.WriteString(`="`)
		text.WriteString(labelEscapes.Replace(s.Labels[i]))
		text.WriteByte('"')
	}
	return text.String()
}

func (p *page) sample(name, labels, value string) {
	if labels == "" {
		p.write(p.prefix, name, " ", value, "\n")
		return
	}
	p.write(p.prefix, name, "{", labels, "} ", value, "\n")
}

func (p *page) write(parts ...string) {
	for _, part := range parts {
		p.text.WriteString(part)
	}
}

// What the formats escape: backslashes and ends of lines, and quotation marks where something is quoted.
var (
	textEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// number writes a value. OpenMetrics wants to see that a limit is no integer, so that all who write it write the same.
func (p *page) number(value float64) string {
	switch {
	case math.IsInf(value, 1):
		return "+Inf"
	case math.IsInf(value, -1):
		return "-Inf"
	}
	text := strconv.FormatFloat(value, 'g', -1, 64)
	if p.format == OpenMetrics && !strings.ContainsAny(text, ".eN") {
		return text + ".0"
	}
	return text
}
