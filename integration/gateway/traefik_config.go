package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// A request for markPath is answered with the number of the load in markHeader, on every entry point and
// whatever the site is.
const (
	markPath   = "/.loaded"
	markHeader = "X-Loaded"
)

// static is the part of the configuration that Traefik reads once. The entry point "traefik" is that of
// its API and its profiles.
func (t *traefik) static() []byte {
	var trusted string
	if len(t.g.Site.TrustedProxies) > 0 {
		trusted = ", forwardedHeaders: {trustedIPs: " + scalar(t.g.Site.TrustedProxies) + "}"
	}
	var b bytes.Buffer
	// Traefik gives a request a minute to arrive if nobody says more: a busy machine may take longer over a thousand of them.
	fmt.Fprintf(&b, `global: {checkNewVersion: false, sendAnonymousUsage: false}
log: {level: `+t.g.Site.logLevel()+`, format: json}
accessLog: {format: json, fields: {headers: {defaultMode: keep}}}
api: {insecure: true, debug: true, dashboard: false}
ping: {}
entryPoints:
  traefik: {address: "127.0.0.1:%[1]d"}
  plain: {address: "127.0.0.1:%[2]d", transport: {respondingTimeouts: {readTimeout: %[7]s}}%[5]s}
  other: {address: "127.0.0.1:%[3]d"%[5]s}
  secure: {address: "127.0.0.1:%[4]d", http: {tls: {}}, http3: {}%[5]s}
providers:
  providersThrottleDuration: 0s
  file: {filename: dynamic.yml, watch: true}
experimental:
  localPlugins:
    grayling: {moduleName: %[6]s}
`, t.g.admin, t.g.plain, t.g.other, t.g.secure, trusted, t.plugin, 2*Patience)
	if t.g.Site.Prometheus != "" {
		b.WriteString("metrics: {prometheus: {addRoutersLabels: true}}\n")
	}
	return b.Bytes()
}

// serviceMode and proxyMode write a site's routers and services. A router has to have a service, even if
// the plugin answers; one that ends in @internal, such as noop@internal, would keep the router out of the
// access log.
const (
	serviceMode = `http:
  routers:
    {{routers}}
{{- range $n, $r := .Rollouts}}{{$name := router $n}}
    {{$name}}:
      rule: {{under $r.Path}}
      entryPoints: {{entryPoints}}
      middlewares: [{{$name}}]
{{- range $i, $v := $r.Variants}}
    {{$name}}-{{$i}}-{{$v.Name}}:
      parentRefs: [{{$name}}]
      rule: {{if $i}}{{announced $r $v.Name}}{{else}}{{under $r.Path}}{{end}}
      priority: {{if $i}}2{{else}}1{{end}}
      service: {{$name}}-{{$i}}-{{$v.Name}}
{{- else}}
    {{$name}}-none: {parentRefs: [{{$name}}], rule: {{under $r.Path}}, service: nowhere}
{{- end}}
{{- end}}
  middlewares:
    {{middlewares}}
{{- range $n, $r := .Rollouts}}{{$name := router $n}}
    {{$name}}:
      plugin:
        grayling: {{plugin $r}}
{{- end}}
  services:
    nowhere: {loadBalancer: {servers: []}}
{{- range $n, $r := .Rollouts}}{{$name := router $n}}{{range $i, $v := $r.Variants}}
    {{$name}}-{{$i}}-{{$v.Name}}: {loadBalancer: {servers: {{servers $v}}}}
{{- end}}{{end}}
`
	proxyMode = `http:
  routers:
    {{routers}}
{{- range $n, $r := .Rollouts}}{{$name := router $n}}
    {{$name}}:
      rule: {{under $r.Path}}
      entryPoints: {{entryPoints}}
      middlewares: [{{$name}}]
      service: nowhere
{{- end}}
  middlewares:
    {{middlewares}}
{{- range $n, $r := .Rollouts}}{{$name := router $n}}
    {{$name}}:
      plugin:
        grayling: {{plugin $r}}
{{- end}}
  services:
    nowhere: {loadBalancer: {servers: []}}
`
)

// dynamic is a site in Traefik's words.
func (t *traefik) dynamic(site Site) ([]byte, error) {
	text := site.Verbatim
	if text == "" {
		text = t.mode
	}
	// Without a certificate Traefik makes one at every load, which takes a while.
	text += "tls: {stores: {default: {defaultCertificate: {{certificate}}}}}\n"
	entryPoints := []string{"plain", "other"}
	if site.TLS {
		entryPoints = append(entryPoints, "secure")
	}
	tmpl, err := template.New("dynamic.yml").Funcs(template.FuncMap{
		// The first entries of these sections: what load waits for.
		"routers": func() string {
			first := `loaded: {rule: "Path(` + "`" + markPath + "`" + `)", priority: 1000000, middlewares: [loaded], service: ping@internal, entryPoints: [traefik, plain, other, secure]}`
			if site.Control {
				first += "\n    control: {rule: PathPrefix(`/rollouts`) || Path(`/grayling/metrics`), middlewares: [control], service: noop@internal, entryPoints: [traefik]}"
			}
			return first
		},
		"middlewares": func() string {
			first := fmt.Sprintf(`loaded: {headers: {customResponseHeaders: {%s: "%d"}}}`, markHeader, t.loads)
			if site.Control {
				first += "\n    control: {plugin: {grayling: {control: {token: " + scalar("file:"+t.file(tokenFile)) + "}}}}"
			}
			return first
		},
		"router": func(n int) string {
			if n < len(site.Routers) {
				return site.Routers[n]
			}
			return site.Rollouts[n].Name
		},
		"entryPoints": func() string { return scalar(entryPoints) },
		"upstream":    func(name string) string { return scalar("http://" + t.g.Backend(name).Addr()) },
		"dir":         func() string { return t.g.Dir },
		"under": func(path string) string {
			return scalar("PathPrefix(`" + or(strings.TrimSuffix(path, "*"), "/") + "`)")
		},
		"announced": func(r Rollout, variant string) string {
			return scalar("Header(`" + or(r.Announce.Request, "X-Rollout-Variant") + "`, `" + variant + "`)")
		},
		"servers": func(v Variant) string {
			var list []map[string]string
			for _, url := range t.upstreams(v) {
				list = append(list, map[string]string{"url": url})
			}
			return scalar(list)
		},
		"plugin": func(r Rollout) string { return scalar(t.rollout(site, r)) },
		"certificate": func() string {
			c := t.authority.Issue(t.g.t, "localhost")
			return scalar(map[string]string{"certFile": c.File, "keyFile": c.KeyFile})
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, site)
	return b.Bytes(), err
}

func (t *traefik) upstreams(v Variant) []string {
	upstreams := v.Upstreams
	if len(upstreams) == 0 {
		upstreams = []string{t.g.Backend(or(v.Backend, v.Name)).Addr()}
	}
	var urls []string
	for _, u := range upstreams {
		urls = append(urls, "http://"+u)
	}
	return urls
}

// rollout is the plugin's configuration, in its own words.
func (t *traefik) rollout(site Site, r Rollout) map[string]any {
	var variants, rules, subsets []map[string]any
	var upstreams []string
	for _, u := range r.Upstreams {
		upstreams = append(upstreams, u.Text("http://"+t.g.Backend(u.Backend).Addr()))
	}
	for _, s := range r.Subsets {
		subsets = append(subsets, present{"key": s.Key, "value": s.Value, "otherwise": s.Otherwise}.fields())
	}
	for _, v := range r.Variants {
		variant := present{"name": v.Name, "weight": v.Weight, "where": v.Where}
		if t.mode == proxyMode && (len(r.Upstreams) == 0 || len(v.Upstreams) > 0) {
			variant["upstreams"] = t.upstreams(v)
		}
		variants = append(variants, variant.fields())
	}
	for _, rule := range r.Rules {
		rules = append(rules, present{"name": rule.Name, "use": rule.Use, "percent": rule.Percent, "when": rule.When}.fields())
	}
	a := r.Announce
	retries := ""
	if r.Retries > 0 {
		retries = strconv.Itoa(r.Retries)
	}
	passive := present{}
	if r.Unwatched && t.mode == proxyMode {
		passive["failures"] = "0"
	}
	active := present{}
	if r.Checked != "" && t.mode == proxyMode {
		active["path"] = r.Checked
		active["interval"] = "1s"
	}
	return assignments(t.plan(t.goals(t.mirrors(present{
		"upstreams": upstreams, "subsets": subsets, "proxy": present{"retries": retries, "passiveHealthCheck": passive, "healthCheck": active}.fields(),
		"name": r.Name, "variants": variants, "rules": rules, "key": r.Key, "salt": r.Salt, "revision": r.Revision, "ends": r.Ends,
		"fallbackMethods": r.Fallback, "trustedProxies": site.TrustedProxies, "clientHeader": site.ClientHeader, "geo": r.Geo, "jwt": r.JWT.fields(),
		"announce": present{"request": a.Request, "response": a.Response, "baggage": a.Baggage, "follow": a.Follow}.fields(),
	}.fields(), r), r), site, r), r)
}

// present is a mapping, of which what is empty will not be written.
type present map[string]any

func (p present) fields() map[string]any {
	for key, value := range p {
		switch fmt.Sprint(value) {
		case "", "[]", "map[]", "false":
			delete(p, key)
		}
	}
	return p
}

// scalar writes a value in YAML's flow style, which JSON is a part of. Traefik reads the file as a
// template first.
func scalar(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // there are only strings in it
	}
	return strings.ReplaceAll(string(b), "{{", `{\u007b`)
}
