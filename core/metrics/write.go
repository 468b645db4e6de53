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
		head(page, f)
		for _, i := range of[f] {
			series(page, &all[i])
		}
	}
	if format == OpenMetrics {
		page.text.WriteString("# EOF\n")
	}
	_, err := io.WriteString(w, page.text.String())
	return err
}

// page is what was written so far. A line is made in few steps, by functions and not by methods: interpreted, that halves
// what it takes to write one.
type page struct {
	format Format
	prefix string
	text   strings.Builder
}

// head writes what a family is. A counter's name has no _total there in OpenMetrics.
func head(p *page, f *Family) {
	name := p.prefix + f.Name
	help := textEscapes.Replace(f.Help)
	if p.format == OpenMetrics {
		name = strings.TrimSuffix(name, "_total")
		help = labelEscapes.Replace(f.Help)
	}
	p.text.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + string(f.Kind) + "\n")
}

func series(p *page, s *Series) {
	name := p.prefix + s.Of.Name
	labels := labelsOf(s)
	if s.Distribution == nil {
		p.text.WriteString(name + braced(labels) + number(s.Value, p.format) + "\n")
		return
	}
	d := s.Distribution
	begin := name + "_bucket{" + labels
	if labels != "" {
		begin += ","
	}
	within := int64(0)
	for i, n := range d.Counts {
		within += n
		limit := math.Inf(1)
		if i < len(d.Limits) {
			limit = d.Limits[i]
		}
		p.text.WriteString(begin + `le="` + number(limit, p.format) + `"} ` + strconv.FormatInt(within, 10) + "\n")
	}
	p.text.WriteString(name + "_sum" + braced(labels) + number(d.Sum, p.format) + "\n")
	p.text.WriteString(name + "_count" + braced(labels) + strconv.FormatInt(within, 10) + "\n")
}

func braced(labels string) string {
	if labels == "" {
		return " "
	}
	return "{" + labels + "} "
}

// labelsOf returns the labels of a series as they are written between braces.
func labelsOf(s *Series) string {
	text := ""
	for i, name := range s.Of.Labels {
		if i > 0 {
			text += ","
		}
		text += name + `="` + labelEscapes.Replace(s.Labels[i]) + `"`
	}
	return text
}

// What the formats escape: backslashes and ends of lines, and quotation marks where something is quoted.
var (
	textEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// number writes a value. OpenMetrics wants to see that a limit is no integer, so that all who write it write the same.
func number(value float64, format Format) string {
	text := strconv.FormatFloat(value, 'g', -1, 64) // +Inf, -Inf and NaN as the formats want them
	if format == OpenMetrics && !strings.ContainsAny(text, ".efN") {
		return text + ".0"
	}
	return text
}
