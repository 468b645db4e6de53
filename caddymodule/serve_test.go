package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TestTold: the decision is there for everything that runs in the variant, and after it.
func TestTold(t *testing.T) {
	outer, inner, later := unique("outer"), unique("inner"), unique("later")
	told := func(name string) string {
		return "{http.rollout." + name + ".variant} {http.rollout." + name + ".reason} {http.rollout." + name + ".rule}"
	}
	g := start(t, `
		header /down {
			X-Var {vars.rollout_variant}
			defer
		}
		route {
			rollout `+outer+` {
				variant stable
				variant canary {
					rollout `+inner+` {
						variant a
						variant b {
							respond /inner "`+told(outer)+` | `+told(inner)+` | {vars.rollout_variant}"
						}
						rule two b path /inner
					}
				}
				rule one canary header X-Canary *
				key `+"`header(\"X-User\")`"+`
			}
			rollout `+later+` {
				variant x
				variant y
			}
			respond "`+told(outer)+` | `+told(later)+` | {vars.rollout_variant}"
		}`)
	for _, test := range []struct{ path, header, want string }{
		{"/inner", "X-Canary: 1", "canary rule one | b rule two | b"},
		{"/", "X-Canary: 1", "canary rule one | x split  | x"},
		{"/inner", "X-User: 1", "stable split  | x split  | x"},
		{"/down", "X-Nobody: 1", "stable base  | x split  | x"},
	} {
		if got := g.get(t, test.path, test.header); got.body != test.want {
			t.Errorf("%s %s: got %q, want %q", test.path, test.header, got.body, test.want)
		}
	}
	if got := g.get(t, "/down").header.Get("X-Var"); got != "x" {
		t.Errorf("after the variant: %q", got)
	}
}

// TestVariantWithoutAnAnswer: what no route of a variant answers goes on to the handler after the rollout, through what
// the variant put around it, as often as the rollout is passed.
func TestVariantWithoutAnAnswer(t *testing.T) {
	g := start(t, `
		route /twice {
			invoke both
			invoke both
			respond "{http.request.uri.path} {header.X-Times}"
		}
		route {
			invoke both
			respond "{http.request.uri.path} {header.X-Times}"
		}
	}
	&(both) {
		rollout `+unique("through")+` {
			variant stable {
				request_header +X-Times 1
				header +X-Response 1
				respond /answered "here"
				uri replace /old /new
			}
		}`)
	for _, test := range []struct{ path, want string }{
		{"/", "/ 1"}, {"/old", "/new 1"}, {"/answered", "here"}, {"/twice", "/twice 1,1"},
	} {
		got := g.get(t, test.path)
		if got.body != test.want || got.header.Get("X-Response") != "1" {
			t.Errorf("%s: %+v, want %q", test.path, got, test.want)
		}
	}
}

// TestPlaceholdersInExpressions: values that Caddy knows, and those that it does not.
func TestPlaceholdersInExpressions(t *testing.T) {
	g := start(t, `
		vars number 7
		route {
			rollout `+unique("placeholders")+` {
				variant stable {
					respond "{http.vars.rollout_variant}"
				}
				variant canary {
					respond "{http.vars.rollout_variant}"
				}
				variant blue {
					respond "{http.vars.rollout_variant}"
				}
				rule number canary `+"`placeholder(\"http.vars.number\") >= 7 && path() == \"/number\"`"+`
				rule unknown canary `+"`placeholder(\"nobody.knows\").exists()`"+`
				rule unset canary `+"`placeholder(\"http.vars.unset\").exists()`"+`
				rule header blue `+"`placeholder(\"http.request.header.X-Color\") == \"blue\"`"+`
			}
		}`)
	for _, test := range []struct{ path, header, want string }{
		{"/number", "X-Color: blue", "canary"}, {"/", "X-Color: blue", "blue"}, {"/", "X-Color: red", "stable"},
	} {
		if got := g.get(t, test.path, test.header); got.body != test.want {
			t.Errorf("%s %s: %+v, want %s", test.path, test.header, got, test.want)
		}
	}
}

// TestHandleErrors: an error page knows which variant failed.
func TestHandleErrors(t *testing.T) {
	g := start(t, `
		rollout `+unique("errors")+` {
			variant stable {
				error "broken" 503
			}
			announce {
				response X-Served-By
			}
		}
		handle_errors {
			respond "{err.status_code} {vars.rollout_variant}"
		}`)
	if got := g.get(t, "/"); got.status != 503 || got.body != "503 stable" || got.header.Get("X-Served-By") != "stable" {
		t.Errorf("%+v", got)
	}
}

// TestBrokenMatcher: the base serves, and it is counted.
func TestBrokenMatcher(t *testing.T) {
	name := unique("matcher")
	g := start(t, `
		rollout `+name+` {
			variant stable {
				respond "stable {http.rollout.`+name+`.reason}"
			}
			variant canary {
				respond "canary"
			}
			rule broken canary expression `+"`int({http.request.header.X-Number}) == 1`"+`
		}`)
	for header, want := range map[string]string{"X-Number: 1": "canary", "X-Number: 2": "stable split", "X-Number: many": "stable base"} {
		if got := g.get(t, "/", header); got.body != want {
			t.Errorf("%s: %+v, want %q", header, got, want)
		}
	}
	if got := liveOf(t, name).Faults(); got != 1 {
		t.Errorf("%d decisions broke", got)
	}
}

// TestAccessLog: the fields are there however the request ends.
func TestAccessLog(t *testing.T) {
	name, path := unique("logged"), filepath.Join(t.TempDir(), "access.log")
	g := start(t, `
		log {
			output file `+path+`
			format json
		}
		rollout `+name+` {
			variant stable {
				respond "stable"
			}
			variant canary {
				handle /broken {
					error "broken" 502
				}
				handle /aborted {
					abort
				}
				handle {
					respond "canary"
				}
			}
			rule all canary header X-Canary *
			key `+"`header(\"X-User\")`"+`
		}`)
	g.get(t, "/")
	g.get(t, "/", "X-Canary: 1")
	g.get(t, "/broken", "X-Canary: 1")
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.address(t)+"/aborted", nil)
	request.Header.Set("X-Canary", "1")
	if response, err := g.client.Do(request); err == nil {
		response.Body.Close()
		t.Error("the response was not aborted")
	}
	want := []string{"/ stable base", "/ canary rule", "/broken stable fallback", "/aborted canary rule"}
	var got []string
	eventually(t, "all requests are logged", func() bool {
		content, _ := os.ReadFile(path)
		got = got[:0]
		for line := range strings.Lines(string(content)) {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) == nil {
				uri := entry["request"].(map[string]any)["uri"]
				got = append(got, fmt.Sprint(uri, " ", entry["rollout_"+name], " ", entry["rollout_"+name+"_reason"]))
			}
		}
		return len(got) == len(want)
	})
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// span is one that records attributes.
type span struct {
	noop.Span
	recording  bool
	attributes map[attribute.Key]string
}

func (s *span) IsRecording() bool { return s.recording }

func (s *span) SetAttributes(attributes ...attribute.KeyValue) {
	for _, a := range attributes {
		s.attributes[a.Key] = a.Value.AsString()
	}
}

// TestTrace: a span that records gets the decision, and after a fallback the new one.
func TestTrace(t *testing.T) {
	for _, test := range []struct {
		name      string
		recording bool
		canary    script
		want      string
	}{
		{"recording", true, hello, "map[rollout.NAME.reason:rule rollout.NAME.variant:canary]"},
		{"fallback", true, broken, "map[rollout.NAME.reason:fallback rollout.NAME.variant:stable]"},
		{"not recording", false, hello, "map[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, name := scriptedRollout(t, hello, test.canary, "")
			s := &span{recording: test.recording, attributes: make(map[attribute.Key]string)}
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(trace.ContextWithSpan(t.Context(), s), http.MethodGet, "/", nil)
			if err := h.ServeHTTP(w, prepare(r, w), notFound); err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(fmt.Sprint(s.attributes), name, "NAME"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestOutsideOfAServer: a request that Caddy's server did not prepare goes on to the next handler.
func TestOutsideOfAServer(t *testing.T) {
	h, _ := scriptedRollout(t, nil, nil, "")
	w := httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(hello)
	if err := h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil), next); err != nil || w.Body.String() != "hello" {
		t.Errorf("%v, %q", err, w.Body)
	}
}
