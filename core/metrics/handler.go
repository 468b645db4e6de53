package metrics

import (
	"net/http"
	"strconv"
	"strings"
)

// Handler answers with the metrics of some families, as [Write] writes them, in the format that the client likes best.
// gather returns the series as they are now; it may be called at any time.
func Handler(prefix string, families []*Family, gather func() []Series) http.Handler {
	return &handler{prefix: prefix, families: families, gather: gather}
}

type handler struct {
	prefix   string
	families []*Family
	gather   func() []Series
}

// ServeHTTP answers GET and HEAD.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "metrics are only read: GET", http.StatusMethodNotAllowed)
		return
	}
	format := Preferred(r.Header.Values("Accept"))
	header.Set("Content-Type", ContentType(format))
	header.Set("Vary", "Accept")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_ = Write(w, format, h.prefix, h.families, h.gather()) // the client may be gone
	}
}

// Preferred returns the format that the fields of an Accept header ask for: OpenMetrics if it is named, in a version that
// is written here, and no less wanted than plain text; else text.
func Preferred(accept []string) Format {
	open, text := 0.0, 0.0
	for _, item := range strings.Split(strings.Join(accept, ","), ",") {
		parts := strings.Split(item, ";")
		quality, version := parameters(parts[1:])
		switch strings.ToLower(strings.TrimSpace(parts[0])) {
		case "application/openmetrics-text":
			if quality > open && (version == "" || version == "1.0.0") {
				open = quality
			}
		case "text/plain":
			if quality > text && (version == "" || version == "0.0.4") {
				text = quality
			}
		}
	}
	if open > 0 && open >= text {
		return OpenMetrics
	}
	return Text
}

// parameters returns those of a media range that count: how much it is wanted, from 0 to 1, which is the default, and the
// version.
func parameters(list []string) (float64, string) {
	quality := 1.0
	version := ""
	for _, parameter := range list {
		name, value, _ := strings.Cut(parameter, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "version":
			version = value
		case "q":
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
			quality = q
		}
	}
	return quality, version
}
