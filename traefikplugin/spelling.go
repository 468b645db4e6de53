package traefikplugin

import (
	"fmt"
	"strings"

	"github.com/grayling-gateway/grayling/core"
)

// asWritten puts right what Traefik's decoders make of a configuration.
//
// A list of texts given as one text (in a label, or in a key-value store, which knows no other) arrives cut at every
// comma, those inside expressions and metadata too. And off is a boolean in the YAML of Kubernetes, which arrives as 0; so
// is true as a condition, without quotes, in any YAML and TOML, which arrives as 1.
func asWritten(config core.Config) core.Config {
	config.Key = rejoined(config.Key)
	config.JWT.From = rejoined(config.JWT.From)
	config.Sticky.Client = rejoined(config.Sticky.Client)
	config.Router.Client = rejoined(config.Router.Client)
	config.Plan.Checks = rejoined(config.Plan.Checks)
	config.Mirrors = append([]core.Mirror(nil), config.Mirrors...)
	for i, m := range config.Mirrors {
		config.Mirrors[i].Ignore = rejoined(m.Ignore)
		config.Mirrors[i].When = asCondition(m.When)
	}
	config.Rules = append([]core.Rule(nil), config.Rules...)
	for i, r := range config.Rules {
		config.Rules[i].When = asCondition(r.When)
	}
	config.Goals = append([]core.Goal(nil), config.Goals...)
	for i, g := range config.Goals {
		config.Goals[i].When = asCondition(g.When)
	}
	config.Upstreams = addressed(config.Upstreams)
	config.Variants = append([]core.Variant(nil), config.Variants...)
	for i, v := range config.Variants {
		config.Variants[i].Upstreams = addressed(v.Upstreams)
	}
	config.Observe = offIfFalse(config.Observe)
	config.Announce.Request = offIfFalse(config.Announce.Request)
	return config
}

func offIfFalse(text string) string {
	if text == "0" || text == "false" {
		return "off"
	}
	return text
}

// asCondition returns the condition that a boolean was. No condition is a number.
func asCondition(text string) string {
	switch text {
	case "1":
		return "true"
	case "0":
		return "false"
	}
	return text
}

// rejoined puts expressions together again that were cut at commas. What cannot be completed stays as it came.
func rejoined(pieces []string) []string {
	var list []string
	begun := 0 // the first piece of the expression at hand
	text := ""
	for i, piece := range pieces {
		if i > begun {
			text += ","
		}
		text += piece
		if isWhole(text) {
			list = append(list, text)
			begun = i + 1
			text = ""
		}
	}
	return append(list, pieces[begun:]...)
}

// cutHours returns what is wrong with hours that may be one text cut at a comma, Mon,Wed 09:00-17:00, or two, Mon and Wed
// 09:00-17:00: days alone, before other days that have hours.
func cutHours(pieces []string) []core.Problem {
	var problems []core.Problem
	for i := 1; i < len(pieces); i++ {
		days := strings.Fields(pieces[i-1])
		next := strings.Fields(pieces[i])
		if len(days) == 1 && !strings.Contains(days[0], ":") && len(next) > 1 && !strings.Contains(next[0], ":") {
			problems = append(problems, core.Problem{Path: fmt.Sprintf("plan.only[%d]", i-1), Text: fmt.Sprintf(
				"%q, and then %q: is this one text, cut at its comma, or two? Write it as a list of one, or the first as %q",
				days[0], pieces[i], days[0]+" 00:00-24:00")})
		}
	}
	return problems
}

// addressed puts upstreams together again that were cut at commas: each begins with an address, which has a scheme.
func addressed(pieces []any) []any {
	var list []any
	for i, piece := range pieces {
		text, isText := piece.(string)
		if i > 0 && isText && !strings.Contains(text, "://") {
			if before, follows := list[len(list)-1].(string); follows {
				list[len(list)-1] = before + "," + text
				continue
			}
		}
		list = append(list, piece)
	}
	return list
}

// isWhole reports whether every string and parenthesis that an expression opens is closed.
func isWhole(expression string) bool {
	depth := 0
	var quote rune // the one that closes the string at hand; 0 outside of strings
	escaped := false
	for _, c := range expression {
		if escaped {
			escaped = false
			continue
		}
		if quote != 0 {
			if c == '\\' && quote == '"' {
				escaped = true
			}
			if c == quote {
				quote = 0
			}
			continue
		}
		switch c {
		case '"', '`':
			quote = c
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	return quote == 0 && depth <= 0
}
