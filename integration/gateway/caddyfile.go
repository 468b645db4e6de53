package gateway

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// caddyfile writes the site in Caddy's words.
func (c *caddy) caddyfile(site Site) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n\tadmin %s\n\tpersist_config off\n\tskip_install_trust\n", c.adminAddr)
	fmt.Fprintf(&b, "\tlog {\n\t\tlevel %s\n", site.logLevel())
	if site.Verbose {
		b.WriteString("\t\texclude admin.api\n") // which has a line for every request of a test that waits
	}
	b.WriteString("\t}\n\tauto_https disable_redirects\n")
	// Streams of a configuration that was replaced must not hold up the end of a test.
	fmt.Fprintf(&b, "\tgrace_period 20s\n\thttp_port %d\n\thttps_port %d\n", c.g.plain, c.g.secure)
	if len(site.TrustedProxies) > 0 || site.AliasHeaders {
		b.WriteString("\tservers {\n")
		if len(site.TrustedProxies) > 0 {
			fmt.Fprintf(&b, "\t\ttrusted_proxies static %s\n\t\ttrusted_proxies_strict\n", strings.Join(site.TrustedProxies, " "))
		}
		if site.ClientHeader != "" {
			fmt.Fprintf(&b, "\t\tclient_ip_headers %s\n", site.ClientHeader)
		}
		if site.AliasHeaders {
			b.WriteString("\t\texpected_underscore_headers X_Rollout_Variant X-Rollout_Variant X_Rollout-Variant\n")
		}
		b.WriteString("\t}\n")
	}
	c.common(&b, site)
	b.WriteString("}\n")
	if site.Verbatim != "" {
		err := c.verbatim(&b, site.Verbatim)
		return b.Bytes(), err
	}
	address := c.address(c.g.plain)
	if site.TLS {
		address += fmt.Sprintf(", https://localhost:%d", c.g.secure)
	}
	fmt.Fprintf(&b, "%s {\n", address)
	if site.TLS {
		b.WriteString("\ttls internal\n")
	}
	b.WriteString(accessLog)
	for _, r := range site.Rollouts {
		b.WriteString(probeFields(r.Name))
	}
	for _, r := range site.Rollouts {
		c.rollout(&b, r)
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

func (c *caddy) address(port int) string { return fmt.Sprintf("http://:%d", port) }

const accessLog = "\tlog {\n\t\toutput stdout\n\t\tformat json\n\t}\n"

// probeFields puts the placeholders of a rollout into the access log, beside the module's own fields.
func probeFields(rollout string) string {
	var b strings.Builder
	for _, field := range []string{"variant", "reason", "rule"} {
		fmt.Fprintf(&b, "\tlog_append probe_%s_%s {http.rollout.%[1]s.%[2]s}\n", rollout, field)
	}
	fmt.Fprintf(&b, "\tlog_append probe_vars {vars.rollout_variant}\n")
	return b.String()
}

func (c *caddy) rollout(b *bytes.Buffer, r Rollout) {
	line := func(words ...string) {
		b.WriteByte('\t')
		for _, w := range words {
			if w != "" {
				b.WriteByte(' ')
				b.WriteString(w)
			}
		}
		b.WriteByte('\n')
	}
	line("rollout", r.Path, r.Name, "{")
	for _, v := range r.Variants {
		upstreams := v.Upstreams
		switch {
		case len(v.Where) > 0:
			upstreams = []string{"where" + pairs(v.Where)}
		case len(upstreams) == 0 && len(r.Upstreams) == 0:
			upstreams = []string{c.g.Backend(or(v.Backend, v.Name)).Addr()}
		}
		line("variant", v.Name, v.Weight, strings.Join(upstreams, " "))
	}
	if len(r.Upstreams) > 0 {
		line("upstreams", "{")
		for _, u := range r.Upstreams {
			line(u.Text(c.g.Backend(u.Backend).Addr()))
		}
		if r.Retries > 0 {
			line("proxy {")
			line("lb_retries", strconv.Itoa(r.Retries))
			line("fail_duration 1s")
			line("}")
		}
		line("}")
	}
	for _, s := range r.Subsets {
		line("subset", s.Key, quote(s.Value), s.Otherwise)
	}
	for _, rule := range r.Rules {
		line("rule", rule.Name, rule.Use, rule.Percent, quote(rule.When))
	}
	if len(r.Key) > 0 {
		words := []string{"key"}
		for _, k := range r.Key {
			words = append(words, quote(k))
		}
		line(words...)
	}
	c.assignments(b, r)
	c.plan(b, r)
	c.mirrors(b, r)
	c.goals(b, r)
	c.tokens(b, r.JWT)
	option := func(name, value string) {
		if value != "" {
			line(name, quote(value))
		}
	}
	option("salt", r.Salt)
	option("revision", r.Revision)
	option("ends", r.Ends)
	for _, file := range r.Geo {
		line("geo", file)
	}
	if len(r.Fallback) > 0 {
		line("fallback_methods", strings.Join(r.Fallback, " "))
	}
	a := r.Announce
	if a.Request != "" || a.Response != "" || a.Baggage || len(a.Follow) > 0 {
		line("announce {")
		option("request", a.Request)
		option("response", a.Response)
		if a.Baggage {
			line("baggage")
		}
		if len(a.Follow) > 0 {
			line("follow", strings.Join(a.Follow, " "))
		}
		line("}")
	}
	line("}")
}

// quote makes s one token: in backticks, or in double quotes if it contains one.
func quote(s string) string {
	if !strings.Contains(s, "`") {
		return "`" + s + "`"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (c *caddy) verbatim(b *bytes.Buffer, text string) error {
	t, err := template.New("Caddyfile").Funcs(template.FuncMap{
		"site":     func() string { return c.address(c.g.plain) },
		"other":    func() string { return c.address(c.g.other) },
		"upstream": func(name string) string { return c.g.Backend(name).Addr() },
		"probe":    func(rollout string) string { return accessLog + probeFields(rollout) },
		"dir":      func() string { return c.g.Dir },
	}).Parse(text)
	if err != nil {
		return err
	}
	return t.Execute(b, nil)
}
