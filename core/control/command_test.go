package control

import (
	"fmt"
	"strings"
	"testing"

	"github.com/grayling-gateway/grayling/core/rollout"
)

func TestCommands(t *testing.T) {
	for _, test := range []struct {
		verb, body string
		want       rollout.Command
	}{
		{"promote", ``, rollout.Command{Verb: rollout.Promote}},
		{"promote", `{}`, rollout.Command{Verb: rollout.Promote}},
		{"promote", " \n", rollout.Command{Verb: rollout.Promote}},
		{"promote", `{"full": true}`, rollout.Command{Verb: rollout.Promote, Full: true}},
		{"promote", `{"full": false}`, rollout.Command{Verb: rollout.Promote}},
		{"step", `{"step": 2}`, rollout.Command{Verb: rollout.Jump, Step: 2}},
		{"step", ``, rollout.Command{Verb: rollout.Jump}},
		{"pause", ``, rollout.Command{Verb: rollout.Pause}},
		{"resume", ``, rollout.Command{Verb: rollout.Resume}},
		{"abort", ``, rollout.Command{Verb: rollout.Abort}},
		{"restart", ``, rollout.Command{Verb: rollout.Restart}},
		{"weight", `{"variant": "canary", "weight": "5%"}`, rollout.Command{Verb: rollout.SetWeight, Variant: "canary", Weight: "5%"}},
	} {
		f := newFake()
		w := ask(handlerOf(map[string]live{"checkout": f}), "POST", "/rollouts/checkout/"+test.verb, test.body)
		wantAnswer(t, test.verb+test.body, w, 200, `"name":"checkout"`, `"version":"1"`)
		if len(f.commands) != 1 || f.commands[0] != test.want || f.versions[0] != "" {
			t.Errorf("%s %s: the rollout got %v for versions %q", test.verb, test.body, f.commands, f.versions)
		}
		if got := w.Header().Get("ETag"); got != `"1"` {
			t.Errorf("%s %s: ETag is %s", test.verb, test.body, got)
		}
	}
}

func TestCommandsThatAreNone(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	for _, test := range []struct {
		verb, body string
		status     int
		text       string
	}{
		{"promote", `{"ful": true}`, 400, `promote has no member \"ful\" (did you mean \"full\"?)`},
		{"promote", `{"Full": true}`, 400, `promote has no member \"Full\" (did you mean \"full\"?)`},
		{"promote", `{"full": "yes"}`, 400, `full is not true or false`},
		{"promote", `{"step": 2}`, 400, `promote has no member \"step\"`},
		{"pause", `{"full": true}`, 400, `pause has no member \"full\"`},
		{"step", `{"step": "2"}`, 400, `step is not a number such as 2`},
		{"step", `{"step": 2.5}`, 400, `step is not a number such as 2`},
		{"step", `{"step": 1e400}`, 400, `step is not a number such as 2`},
		{"weight", `{"variant": 1}`, 400, `variant is not a text`},
		{"weight", `{"weight": 5}`, 400, `weight is not a text such as \"5%\"`},
		{"abort", `{}{}`, 400, `not a JSON object`},
		{"abort", `{} x`, 400, `not a JSON object`},
		{"abort", `[]`, 400, `not a JSON object`},
		{"abort", `"abort"`, 400, `not a JSON object`},
		{"abort", `{`, 400, `not a JSON object`},
		{"abort", "\x00", 400, `not a JSON object`},
		{"abort", strings.Repeat("[", 10000), 400, `not a JSON object`},
		{"abort", `{"x": "` + strings.Repeat("x", maxBody) + `"}`, 413, `larger than 65536 bytes`},
		{"abort", strings.Repeat(" ", maxBody+1), 413, `larger than 65536 bytes`},
		{"abort", `{"` + strings.Repeat("x", 1000) + `": 1}`, 400, `abort has no member \"xxx`},
	} {
		what := fmt.Sprintf("%s %.40s", test.verb, test.body)
		code := map[int]string{400: "request", 413: "size"}[test.status]
		wantAnswer(t, what, ask(h, "POST", "/rollouts/checkout/"+test.verb, test.body), test.status, test.text, `"code":"`+code+`"`)
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", ";"} {
		w := ask(h, "POST", "/rollouts/checkout/abort", `{}`, "Content-Type: "+kind)
		wantAnswer(t, kind, w, 415, `"code":"type"`)
	}
	if len(f.commands) != 0 {
		t.Errorf("the rollout got the commands %v", f.commands)
	}
	wantAnswer(t, "with a charset", ask(h, "POST", "/rollouts/checkout/abort", `{}`, "Content-Type: Application/JSON; charset=utf-8"), 200)
}

func TestRefusedCommands(t *testing.T) {
	for _, test := range []struct {
		refusal error
		status  int
		code    string
	}{
		{rollout.ErrState, 409, "state"},
		{rollout.ErrVeto, 409, "veto"},
		{rollout.ErrCommand, 400, "command"},
		{rollout.ErrVersion, 412, "version"},
		{rollout.ErrAway, 503, "away"},
		{fmt.Errorf("deadline"), 503, "away"},
	} {
		f := newFake()
		f.refusal = fmt.Errorf("promote: %w: say \"why\"", test.refusal)
		w := ask(handlerOf(map[string]live{"checkout": f}), "POST", "/rollouts/checkout/promote", "")
		wantAnswer(t, test.code, w, test.status, `"code":"`+test.code+`"`, `say \"why\"`)
		if got := w.Header().Get("ETag"); got != "" {
			t.Errorf("%s: ETag is %s", test.code, got)
		}
	}
}

func TestIfMatch(t *testing.T) {
	for _, test := range []struct {
		tags, version string
		status        int
	}{
		{`"2"`, "2", 200},
		{`W/"2"`, "2", 200},
		{`"7", "2"`, "2", 200},
		{`*`, "", 200},
		{`"1"`, "", 412},
		{`2`, "", 412},
		{``, "", 412},
		{`""`, "", 412},
	} {
		f := newFake()
		f.happens(rollout.KindStarted, rollout.KindStepAdvanced)
		w := ask(handlerOf(map[string]live{"checkout": f}), "POST", "/rollouts/checkout/promote", "", "If-Match: "+test.tags)
		wantAnswer(t, test.tags, w, test.status)
		if test.status == 412 {
			wantAnswer(t, test.tags, w, 412, `"code":"version"`, `version \"2\"`)
		}
		if got := strings.Join(f.versions, " "); got != test.version || (len(f.commands) > 0) != (test.status == 200) {
			t.Errorf("%s: commands %v for versions %q, want %q", test.tags, f.commands, got, test.version)
		}
	}
}

// FuzzDecode reads whatever a client may send: a command, or a reason why it is none.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{}`, `{"full": true}`, `{"step": 2}`, `{"variant": "canary", "weight": "5%"}`, `null`, `[`, `{"full": null}`, `{"full":true,"full":1}`} {
		for _, verb := range verbs {
			f.Add(verb, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, verb string, body []byte) {
		command := rollout.Command{Verb: rollout.Verb(verb)}
		wrong := decode(body, &command)
		if command.Verb != rollout.Verb(verb) || command.Version != "" {
			t.Errorf("%q makes %v of %q", body, command, verb)
		}
		if wrong == "" && len(members(verb)) == 0 && command != (rollout.Command{Verb: rollout.Verb(verb)}) {
			t.Errorf("%q says something to %q: %v", body, verb, command)
		}
	})
}
