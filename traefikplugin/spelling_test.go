package traefikplugin

import (
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

func TestExpressionsCutAtCommasAreRejoined(t *testing.T) {
	for _, expressions := range [][]string{
		{},
		{`cookie("uid")`},
		{`cookie("uid")`, `ip()`},
		{`query("a,b")`, `query(",")`, `ip()`},
		{`header("X").in("a", "b")`, "query(`\\,`)", `query("\",(")`, `random()`},
	} {
		var pieces []string
		if len(expressions) > 0 {
			pieces = strings.Split(strings.Join(expressions, ","), ",") // as Traefik does
		}
		if got := rejoined(pieces); strings.Join(got, "|") != strings.Join(expressions, "|") {
			t.Errorf("%q became %q", expressions, got)
		}
		if got := rejoined(expressions); strings.Join(got, "|") != strings.Join(expressions, "|") {
			t.Errorf("%q, not cut, became %q", expressions, got)
		}
	}
	broken := []string{`ip()`, `cookie("uid`, `query("v")`}
	if got := rejoined(broken); strings.Join(got, "|") != strings.Join(broken, "|") {
		t.Errorf("%q became %q", broken, got)
	}
}

func TestSourcesOfTokensCutAtCommas(t *testing.T) {
	config := core.Config{JWT: core.JWT{From: []string{`cookie("a`, `b")`, `header("X-Token")`}}}
	if got := asWritten(config).JWT.From; strings.Join(got, "|") != `cookie("a,b")|header("X-Token")` {
		t.Errorf("from is %q", got)
	}
}

func TestChecksCutAtCommas(t *testing.T) {
	config := core.Config{Plan: core.Plan{Checks: []string{`latency_ms("canary"`, ` 0.99) <= 500`, `error_rate("canary") <= 0.01`}}}
	if got := asWritten(config).Plan.Checks; strings.Join(got, "|") != `latency_ms("canary", 0.99) <= 500|error_rate("canary") <= 0.01` {
		t.Errorf("the checks are %q", got)
	}
}

func TestHoursCutAtCommas(t *testing.T) {
	for _, test := range []struct {
		pieces []string
		path   string
	}{
		{nil, ""},
		{[]string{"Mon-Wed,Sat 09:00-17:00 Europe/Berlin"}, ""},
		{[]string{"Mon-Fri 09:00-17:00", "Sat 10:00-12:00"}, ""},
		{[]string{"Sat", "Sun"}, ""},
		{[]string{"Sat", "22:00-06:00"}, ""},
		{[]string{"09:00-17:00", "Sat 10:00-12:00"}, ""},
		{[]string{"Sat 00:00-24:00", "Mon-Fri 18:00-08:00"}, ""},
		{[]string{"Mon-Wed", "Sat 09:00-17:00"}, "plan.only[0]"},
		{[]string{"09:00-17:00", " Mon", "Sat Europe/Berlin"}, "plan.only[1]"},
	} {
		path := ""
		for _, problem := range cutHours(test.pieces) {
			path += problem.Path
		}
		if path != test.path {
			t.Errorf("%q: problems at %q, want %q", test.pieces, path, test.path)
		}
	}
}

func TestOffAsABoolean(t *testing.T) {
	for _, off := range []string{"off", "0", "false"} {
		config := core.Config{Observe: off, Announce: core.Announce{Request: off}}
		if got := asWritten(config); got.Observe != "off" || got.Announce.Request != "off" {
			t.Errorf("%s became %q and %q", off, got.Observe, got.Announce.Request)
		}
	}
	if got := asWritten(core.Config{}); got.Observe != "" || got.Announce.Request != "" {
		t.Errorf("nothing became %q and %q", got.Observe, got.Announce.Request)
	}
}

func TestConditionsAsBooleans(t *testing.T) {
	config := core.Config{Rules: []core.Rule{{When: "1"}, {When: "0"}, {When: "true"}, {When: "ip()"}}, Mirrors: []core.Mirror{{When: "1"}, {}}, Goals: []core.Goal{{When: "1"}}}
	written := asWritten(config)
	var got []string
	for _, r := range written.Rules {
		got = append(got, r.When)
	}
	for _, m := range written.Mirrors {
		got = append(got, m.When)
	}
	for _, g := range written.Goals {
		got = append(got, g.When)
	}
	if strings.Join(got, "|") != "true|false|true|ip()|true||true" {
		t.Errorf("the conditions are %q", got)
	}
	if config.Rules[0].When != "1" || config.Mirrors[0].When != "1" || config.Goals[0].When != "1" {
		t.Error("Traefik's own configuration was changed")
	}
}

func TestFlagsOfKubernetes(t *testing.T) {
	r := &settingsReader{}
	for text, want := range map[string]bool{"1": true, "true": true, "0": false, "false": false} {
		got := !want
		r.flag("f", text, &got)
		if got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	if len(r.problems) != 0 {
		t.Errorf("problems: %v", r.problems)
	}
}

func TestOrderHoldsForUpstreamsToo(t *testing.T) {
	front := behind(t, backend(t, "first").URL, backend(t, "second").URL, func(c *core.Config) {
		c.Variants[0].Order = 2
		c.Variants[0].Name = "canary"
		c.Variants[1].Name = "stable"
		c.Variants[0].Weight = "10%"
		c.Variants[1].Weight = ""
	})
	for header, want := range map[string]string{"X-Version: v2": "first canary", "X-Version: v1": "second stable"} {
		response, body := ask(t, "GET", front.URL, "", header)
		if got := strings.TrimSuffix(body, " GET ") + " " + response.Header.Get("X-Saw"); got != want {
			t.Errorf("%s: %s, want %s", header, got, want)
		}
	}
}
