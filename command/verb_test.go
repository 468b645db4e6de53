package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

func TestCommands(t *testing.T) {
	g := newGateway(t)
	g.release(t, "checkout", "v2")
	for _, c := range []struct {
		args string
		code int
		part string
	}{
		{"resume checkout", exitRefused, "the rollout is progressing, and has to be paused"},
		{"pause checkout", 0, "checkout: paused, step 1/3, canary 10% (version 2)"},
		{"weight checkout canary 2.5%", 0, "checkout: paused, step 1/3, canary 2.5%"},
		{"weight checkout kanary 2%", exitRefused, `(did you mean "canary"?)`},
		{"weight checkout canary much", exitRefused, "weight: "},
		{"resume checkout", 0, "checkout: progressing, step 1/3, canary 10%"},
		{"promote checkout --if-version 1", exitRefused, "version"},
		{"promote checkout --if-version 4", 0, "checkout: progressing, step 2/3, canary 50%"},
		{"step checkout 1", 0, "checkout: progressing, step 1/3, canary 10%"},
		{"step checkout 7", exitRefused, "the plan has 1 to 3"},
		{"promote checkout --full", 0, "checkout: promoted, step 3/3, canary 100%"},
		{"abort checkout", 0, "checkout: rolled_back, step 3/3, canary 0%"},
		{"restart checkout", 0, "checkout: progressing, step 1/3, canary 10%"},
		{"pause chekcout", exitRefused, `no rollout "chekcout" runs (did you mean "checkout"?)`},
	} {
		g.talk(t, c.code, []string{c.part}, strings.Fields(c.args)...)
	}
	var status core.Status
	if err := json.Unmarshal([]byte(g.talk(t, 0, nil, "pause", "checkout", "--json")), &status); err != nil || status.State != "paused" || status.Version == "" {
		t.Errorf("%v: %+v", err, status)
	}
}

func TestUsage(t *testing.T) {
	g := newGateway(t)
	for args, part := range map[string]string{
		"promot":                          `unknown command "promot" (did you mean "promote"?): see grayling --help`,
		"promote":                         "accepts 1 arg(s), received 0: see grayling promote --help",
		"pause a b":                       "accepts 1 arg(s), received 2",
		"weight checkout canary":          "accepts 3 arg(s)",
		"step checkout two":               `"two" is not the number of a step`,
		"status --forse":                  "unknown flag: --forse: see grayling status --help",
		"status --timeout soon":           "invalid argument",
		"pause ../config":                 `"../config" is not the name of a rollout`,
		"status a/b":                      `"a/b" is not the name of a rollout`,
		"status ..":                       `".." is not the name of a rollout`,
		"status --server ftp://x":         `"ftp://x" is not a URL such as http://localhost:2019`,
		"status --server localhost:2019":  `is not a URL such as`,
		"status --server http://":         `is not a URL such as`,
		"status --token-file /none":       "--token-file: open /none",
		"status --timeout 0":              "--timeout: 0s is no time to wait",
		"watch checkout --until done":     `"done" is none of promoted, rolled_back and paused`,
		"watch checkout --within 5m":      "without --until",
		"watch checkout --revision v2":    "without --until",
		"validate":                        "requires at least 1 arg(s)",
		"validate Caddyfile":              "knows no configurations of Caddy",
		"promote checkout --if-version":   "flag needs an argument",
		"status --until promoted":         "unknown flag: --until",
		"pause checkout --token-file=":    "no rollout", // an empty one is none
		"resume checkout --full":          "unknown flag: --full",
		"abort checkout --timeout=banana": "invalid argument",
	} {
		code := exitUsage
		if strings.HasSuffix(args, "=") {
			code = exitRefused
		}
		g.talk(t, code, []string{part}, strings.Fields(args)...)
	}
}
