package expr

import (
	"go/ast"
	"regexp"
)

// readPlace returns what is known of the place where the client's address is.
func readPlace(v *value, in *Input) (string, bool) {
	address, ok := in.ip()
	if !ok {
		return "", false
	}
	text := v.where(address)
	return text, text != ""
}

// place finds out who knows the field that geo() was called with.
func (c *checker) place(call *ast.CallExpr, v *value) bool {
	if c.host.Geo == nil {
		c.fail(call.Pos(), "geo() needs a database: name its file under geo, such as /var/lib/GeoIP/GeoLite2-City.mmdb")
		return false
	}
	where, err := c.host.Geo(v.name)
	if err != nil {
		c.fail(call.Args[0].Pos(), "%v", err)
		return false
	}
	v.where = where
	return true
}

// forms are what the texts of a place look like, and an example for who writes them otherwise. Any text may be a city.
var forms = map[string]struct {
	pattern *regexp.Regexp
	want    string
}{
	"country":     {regexp.MustCompile(`^[A-Z]{2}$`), `no country of ISO 3166-1: write two capital letters, such as "NO"`},
	"continent":   {regexp.MustCompile(`^(AF|AN|AS|EU|NA|OC|SA)$`), "no continent: there are AF, AN, AS, EU, NA, OC and SA"},
	"subdivision": {regexp.MustCompile(`^[A-Z]{2}-[A-Z0-9]{1,3}$`), `no subdivision of ISO 3166-2: write it with its country, such as "US-CA"`},
	"asn":         {regexp.MustCompile(`^[1-9][0-9]*$`), "no number of an autonomous system: write the digits alone, such as 64496"},
}

// checkPlace reports a literal that a place can never be.
func (c *checker) checkPlace(v *value, text string, x ast.Expr) {
	if v.source != fromGeo || text == "" {
		return
	}
	if form, ok := forms[v.name]; ok && !form.pattern.MatchString(text) {
		c.fail(x.Pos(), "%q is %s", text, form.want)
	}
}
