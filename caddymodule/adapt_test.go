package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what the adapter returns into testdata/adapt")

// TestAdapt adapts every Caddyfile under testdata/adapt. A file holds the Caddyfile, a line of hyphens, and the JSON or
// the error.
func TestAdapt(t *testing.T) {
	for _, path := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), func(t *testing.T) {
			caddyfile, want := golden(t, path)
			got, warnings, err := adapt(caddyfile)
			if len(warnings) > 0 && err == nil && !strings.HasPrefix(filepath.Base(path), "unformatted_") {
				t.Errorf("the adapter warns: %v", warnings)
			}
			if isError := strings.HasPrefix(filepath.Base(path), "error_"); isError != (err != nil) {
				t.Fatalf("the name says that there is an error: %v, but it is: %v", isError, err)
			}
			if err != nil {
				got = err.Error()
			}
			if *update {
				if err := os.WriteFile(path, []byte(caddyfile+separator+got+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\n\nwant\n%s\n\n(-update accepts it)", got, want)
			}
		})
	}
}

// TestAdaptedJSONIsTheConfiguration: what the adapter writes is what the handler reads, nothing lost and nothing added, and
// Caddy accepts it.
func TestAdaptedJSONIsTheConfiguration(t *testing.T) {
	for _, name := range []string{"COOKIE_SECRET", "COOKIE_SECRET_BEFORE", "TOKEN_SECRET", "LOGIN_HOST", "HOOK_SECRET", "PROMETHEUS_PASSWORD", "ETCD_PASSWORD", "ETCD_HOST"} {
		t.Setenv(name, strings.Repeat(name, 3))
	}
	for _, name := range []string{"ROUTER", "GATE", "SLACK_URL", "CANARY_URL"} {
		t.Setenv(name, "http://127.0.0.1:9/")
	}
	for _, path := range goldens(t) {
		if strings.HasPrefix(filepath.Base(path), "error_") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), func(t *testing.T) {
			_, text := golden(t, path)
			var config map[string]any
			if err := json.Unmarshal([]byte(text), &config); err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, handler := range rollouts(config) {
				found++
				delete(handler, "handler")
				want, _ := json.Marshal(handler)
				var h Handler
				if err := caddy.StrictUnmarshalJSON(want, &h); err != nil {
					t.Fatal(err)
				}
				var sorted any
				again, err := json.Marshal(h)
				if err != nil || json.Unmarshal(again, &sorted) != nil {
					t.Fatal(err)
				}
				if got, _ := json.Marshal(sorted); !bytes.Equal(got, want) {
					t.Errorf("read and written again\n%s\nfrom\n%s", got, want)
				}
			}
			if found == 0 {
				t.Error("there is no rollout")
			}
			if written, ok := config["apps"].(map[string]any)[appID]; ok {
				want, _ := json.Marshal(written)
				var app App
				if err := caddy.StrictUnmarshalJSON(want, &app); err != nil {
					t.Fatal(err)
				}
				var sorted any
				again, err := json.Marshal(&app)
				if err != nil || json.Unmarshal(again, &sorted) != nil {
					t.Fatal(err)
				}
				if got, _ := json.Marshal(sorted); !bytes.Equal(got, want) {
					t.Errorf("read and written again\n%s\nfrom\n%s", got, want)
				}
			}
			if strings.Contains(text, "health_checks") {
				return // loading them begins them
			}
			if err := json.Unmarshal([]byte(text), &config); err != nil {
				t.Fatal(err)
			}
			config["storage"] = map[string]any{"module": "file_system", "root": t.TempDir()}
			loaded, _ := json.Marshal(config)
			var c caddy.Config
			if err := caddy.StrictUnmarshalJSON(loaded, &c); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&c); err != nil {
				t.Error(err)
			}
		})
	}
}

// rollouts returns the rollout handlers anywhere in a configuration.
func rollouts(config any) []map[string]any {
	var found []map[string]any
	switch config := config.(type) {
	case map[string]any:
		if config["handler"] == "rollout" {
			found = append(found, config)
		}
		for _, value := range config {
			found = append(found, rollouts(value)...)
		}
	case []any:
		for _, value := range config {
			found = append(found, rollouts(value)...)
		}
	}
	return found
}

// TestEmptyArguments: what a variable of the environment was to fill, and did not, is no setting.
func TestEmptyArguments(t *testing.T) {
	const pool = "upstreams {\n\tlocalhost:8083 version=v1\n}\nvariant pooled\n"
	for line, want := range map[string]string{
		`variant ""`:                     "needs a name",
		`variant blue ""`:                "variant blue: an address is empty",
		`variant blue 5% ""`:             "variant blue: an address is empty",
		`variant blue localhost:8084 ""`: "variant blue: an address is empty",
		"variant blue localhost:8084 {\nset \"\" text\n}":     "set takes a request header",
		pool + `variant blue where ""`:                        `"" is not <key>=<value>`,
		"variant pooled\nupstreams {\n\"\" version=v1\n}":     "a word is empty",
		"variant pooled\nupstreams {\nlocalhost:8083 \"\"\n}": "a word is empty",
		pool + "subset \"\" `method()`":                       "which key",
		pool + `subset version ""`:                            "empty expression",
		pool + "subset version `method()` \"\"":               "subset takes a key",
		`rule "" canary *`:                                    "needs a name",
		`rule qa "" *`:                                        "which variant?",
		`rule qa canary ""`:                                   "needs a condition",
		`rule qa canary "" *`:                                 "is not a matcher",
		`key ""`:                                              "empty expression",
		`sticky ""`:                                           "what keeps assignments?",
		`sticky cookie ""`:                                    "the cookie's name is empty",
		"sticky cookie {\nttl \"\"\n}":                        "ttl takes one argument",
		`router ""`:                                           "a router needs an address",
		"jwt {\nsecret \"\"\n}":                               "secret takes one argument",
		`plan ""`:                                             "is no candidate",
		`plan step ""`:                                        `unexpected ""`,
		`plan step 10% "" step 100%`:                          `unexpected ""`,
		`plan step 10% confirm "" step 100%`:                  "who confirms?",
		`mirror ""`:                                           "who gets the copies?",
		`mirror canary ""`:                                    `unexpected ""`,
		"mirror canary {\ncompare status\ncontrol \"\"\n}":    "control takes one argument",
		"goal \"\" `method() == \"PUT\"`":                     "needs a name",
		`goal paid ""`:                                        "empty expression",
		`notify ""`:                                           "needs an address",
		`salt ""`:                                             "salt takes one argument",
		`revision ""`:                                         "revision takes one argument",
		`ends ""`:                                             "ends takes one argument",
		"announce {\nresponse \"\"\n}":                        "response takes one argument",
		`fallback_methods ""`:                                 `"" is not a method`,
		`observe ""`:                                          "observe takes one argument",
		`geo ""`:                                              "geo takes one argument",
	} {
		_, _, err := adapt(":80\nrollout checkout {\nvariant stable localhost:8081\nvariant canary localhost:8082\n" + line + "\n}\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot:  %v\nwant: %s", line, err, want)
		}
	}
}

// TestJSON reads configurations that were written by hand: each error names its place and the way out.
func TestJSON(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"unknown field", `{"name": "a", "variants": [{"name": "s"}], "ruels": []}`, `unknown field "ruels"`},
		{"unknown field of a variant", `{"name": "a", "variants": [{"name": "s", "wieght": "5"}]}`, `unknown field "wieght"`},
		{"unknown field of a rule", `{"name": "a", "variants": [{"name": "s"}], "rules": [{"name": "r", "use": "s", "if": "true"}]}`, `unknown field "if"`},
		{"unknown field of announce", `{"name": "a", "variants": [{"name": "s"}], "announce": {"to": "X"}}`, `unknown field "to"`},
		{"upstreams, which are for other gateways", `{"name": "a", "variants": [{"name": "s", "upstreams": ["http://a"]}]}`, `unknown field "upstreams"`},
		{"a number as weight", `{"name": "a", "variants": [{"name": "s", "weight": 5}]}`, `cannot unmarshal number`},
		{"no name", `{"variants": [{"name": "s"}]}`, `name: the rollout needs a name`},
		{"no variants", `{"name": "a"}`, `rollout "a": variants: a rollout needs at least one variant`},
		{"several problems", `{"name": "a", "variants": [{"name": "s"}], "rules": [{"name": "r", "use": "c", "when": "heder(\"A\") == 1"}], "key": ["x"]}`,
			`rollout "a": rules[0].use: unknown variant "c"; there are s` + "\n" + `rules[0].when: column 1: unknown function "heder" (did you mean "header"?)` + "\n" + `key[0]: `},
		{"condition and matcher", `{"name": "a", "variants": [{"name": "s"}], "rules": [{"name": "r", "use": "s", "when": "true", "match": [{"path": ["/"]}]}]}`,
			`rules[0].when: the rule has a condition and a matcher: one of them is enough`},
		{"unknown matcher", `{"name": "a", "variants": [{"name": "s"}], "rules": [{"name": "r", "use": "s", "match": [{"paht": ["/"]}]}]}`,
			`rollout "a": rule "r": loading matchers: module name 'paht': unknown module: http.matchers.paht`},
		{"unknown handler", `{"name": "a", "variants": [{"name": "s", "routes": [{"handle": [{"handler": "nonsense"}]}]}]}`,
			`rollout "a": variant "s": `},
		{"missing file", `{"name": "a", "variants": [{"name": "s"}], "rules": [{"name": "r", "use": "s", "when": "path().inFile(\"/nowhere/users.txt\")"}]}`,
			`rules[0].when: column 15: reading a file: stat /nowhere/users.txt: no such file or directory`},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, _ := memories.References("a")
			_, err := load(t, test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if after, _ := memories.References("a"); after != before {
				t.Errorf("%d references after the error, %d before", after, before)
			}
		})
	}
}

const separator = "----------\n"

func goldens(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/adapt: %v", err)
	}
	return paths
}

func golden(t *testing.T, path string) (caddyfile, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	caddyfile, want, ok := strings.Cut(string(content), separator)
	if !ok {
		t.Fatalf("%s has no line of hyphens", path)
	}
	return caddyfile, strings.TrimSuffix(want, "\n")
}

// adapt returns the JSON of a Caddyfile, indented with tabs.
func adapt(caddyfile string) (string, []caddyconfig.Warning, error) {
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", nil, err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, adapted, "", "\t")
	return indented.String(), warnings, err
}
