package gateway

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Sticky is the neutral twin of core.Sticky.
type Sticky struct {
	Mode             string // "cookie", "memory"; empty: not sticky
	TTL, BaselineTTL string
	Drain            string
	Secret           []string
	Name, Domain     string
	Client           []string
	Capacity         int
}

// Router is the neutral twin of core.Router.
type Router struct {
	URL     string // empty: none
	Client  []string
	Timeout string
	Headers []string
}

// section writes a line and a block of lines, each a word and its values; without values it is left out.
func section(b *bytes.Buffer, head string, lines [][]string) {
	fmt.Fprintf(b, "\t%s {\n", head)
	for _, line := range lines {
		var values []string
		for _, value := range line[1:] {
			if value != "" {
				values = append(values, quote(value))
			}
		}
		if len(values) > 0 {
			fmt.Fprintf(b, "\t\t%s %s\n", line[0], strings.Join(values, " "))
		}
	}
	b.WriteString("\t}\n")
}

func words(first string, values []string) []string { return append([]string{first}, values...) }

// assignments writes sticky and router in Caddy's words.
func (c *caddy) assignments(b *bytes.Buffer, r Rollout) {
	if s := r.Sticky; s.Mode != "" {
		capacity := ""
		if s.Capacity > 0 {
			capacity = strconv.Itoa(s.Capacity)
		}
		section(b, strings.TrimSpace("sticky "+s.Mode+" "+s.Name), [][]string{
			{"ttl", s.TTL}, {"baseline_ttl", s.BaselineTTL}, {"drain", s.Drain}, words("secret", s.Secret), {"domain", s.Domain}, words("client", s.Client), {"capacity", capacity},
		})
	}
	if q := r.Router; q.URL != "" {
		section(b, "router "+q.URL, [][]string{words("client", q.Client), {"timeout", q.Timeout}, words("headers", q.Headers)})
	}
}

// assignments adds sticky and router in Traefik's words.
func assignments(config map[string]any, r Rollout) map[string]any {
	s, q := r.Sticky, r.Router
	sticky := present{
		"mode": s.Mode, "name": s.Name, "ttl": s.TTL, "baselineTtl": s.BaselineTTL, "drain": s.Drain, "secret": s.Secret, "domain": s.Domain, "client": s.Client,
	}.fields()
	if s.Capacity > 0 {
		sticky["capacity"] = s.Capacity
	}
	config["sticky"] = sticky
	config["router"] = present{"url": q.URL, "client": q.Client, "timeout": q.Timeout, "headers": q.Headers}.fields()
	return present(config).fields()
}
