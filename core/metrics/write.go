package metrics

import (
	"io"
	"math"
	"sort"
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
// left out. Series are in the order of their labels, so that two pages differ in what has changed only. The error is that
// of w.
func Write(w io.Writer, format Format, prefix string, families []*Family, all []Series) error {
	l := layout{format: format, prefix: prefix}
	of := map[*Family][]string{}
	for i := range all {
		of[all[i].Of] = append(of[all[i].Of], series(l, &all[i]))
	}
	var text strings.Builder
	for _, f := range families {
		if len(of[f]) == 0 {
			continue
		}
		sort.Strings(of[f])
		text.WriteString(head(l, f) + strings.Join(of[f], ""))
	}
	if format == OpenMetrics {
		text.WriteString("# EOF\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// layout is what all lines have in common. A line is made in few steps, by functions and not by methods: interpreted, that
// halves what it takes to write one.
type layout struct {
	format Format
	prefix string
}

// head returns what a family is. A counter's name has no _total there in OpenMetrics.
func head(l layout, f *Family) string {
	name := l.prefix + f.Name
	help := textEscapes.Replace(f.Help)
	if l.format == OpenMetrics {
		name = strings.TrimSuffix(name, "_total")
		help = labelEscapes.Replace(f.Help)
	}
	return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + string(f.Kind) + "\n"
}

// series returns the lines of a series.
func series(l layout, s *Series) string {
	name := l.prefix + s.Of.Name
	labels := labelsOf(s)
	if s.Distribution == nil {
		return name + braced(labels) + number(s.Value, l.format) + "\n"
	}
	d := s.Distribution
	begin := name + "_bucket{" + labels
	if labels != "" {
		begin += ","
	}
	lines := ""
	within := int64(0)
	for i, n := range d.Counts {
		within += n
		limit := math.Inf(1)
		if i < len(d.Limits) {
			limit = d.Limits[i]
		}
		lines += begin + `le="` + number(limit, l.format) + `"} ` + strconv.FormatInt(within, 10) + "\n"
	}
	lines += name + "_sum" + braced(labels) + number(d.Sum, l.format) + "\n"
	return lines + name + "_count" + braced(labels) + strconv.FormatInt(within, 10) + "\n"
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
