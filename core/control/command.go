package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sort"
	"strings"

	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// verbs are the commands that there are.
var verbs = []string{"promote", "step", "pause", "resume", "abort", "restart", "weight"}

// members returns what the body of a command may say.
func members(verb string) []string {
	switch verb {
	case "promote":
		return []string{"full"}
	case "step":
		return []string{"step"}
	case "weight":
		return []string{"variant", "weight"}
	}
	return nil
}

// maxBody is more than any command needs.
const maxBody = 64 << 10

// obey does what a request commands, and answers with what the rollout is then.
func obey(w http.ResponseWriter, r *http.Request, l live, verb string) *refusal {
	command, refused := readCommand(r, verb)
	if refused != nil {
		return refused
	}
	version, refused := condition(r, l)
	if refused != nil {
		return refused
	}
	status, err := l.Command(r.Context(), command, version)
	if err != nil {
		return disobeyed(err)
	}
	answerStatus(w, status)
	return nil
}

// condition returns the version that a command is for; "" for any.
func condition(r *http.Request, l live) (version string, refused *refusal) {
	tags := r.Header.Values("If-Match")
	if len(tags) == 0 {
		return "", nil
	}
	status, runs := l.Status()
	if !runs {
		return "", notRunning()
	}
	if !names(tags, status.Version) {
		text := fmt.Sprintf("the rollout has version %s by now: look at it again", tag(status.Version))
		return "", refuse(http.StatusPreconditionFailed, "version", text)
	}
	if strings.TrimSpace(tags[0]) == "*" {
		return "", nil
	}
	return status.Version, nil
}

// disobeyed says why a command was not obeyed. Whatever has no better name is worth another try.
func disobeyed(err error) *refusal {
	status, code := http.StatusServiceUnavailable, "away"
	switch {
	case errors.Is(err, rollout.ErrState):
		status, code = http.StatusConflict, "state"
	case errors.Is(err, rollout.ErrVeto):
		status, code = http.StatusConflict, "veto"
	case errors.Is(err, rollout.ErrCommand):
		status, code = http.StatusBadRequest, "command"
	case errors.Is(err, rollout.ErrVersion):
		status, code = http.StatusPreconditionFailed, "version"
	}
	return refuse(status, code, err.Error())
}

// readCommand reads a command's body, which may be empty.
func readCommand(r *http.Request, verb string) (rollout.Command, *refusal) {
	command := rollout.Command{Verb: rollout.Verb(verb)}
	content, refused := readBody(r)
	if refused != nil || len(content) == 0 {
		return command, refused
	}
	if wrong := decode(content, &command); wrong != "" {
		return command, refuse(http.StatusBadRequest, "request", wrong)
	}
	return command, nil
}

// readBody reads a body of JSON, which may be empty.
func readBody(r *http.Request) ([]byte, *refusal) {
	content, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "request", "reading the body: "+err.Error())
	}
	if len(content) > maxBody {
		return nil, refuse(http.StatusRequestEntityTooLarge, "size", fmt.Sprintf("the body is larger than %d bytes", maxBody))
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "type", "the body is application/json, and Content-Type must say so")
	}
	return content, nil
}

// decode reads the members of a JSON object that a command has, and returns what is wrong with them.
func decode(content []byte, command *rollout.Command) string {
	given := map[string]json.RawMessage{}
	if err := json.Unmarshal(content, &given); err != nil {
		return "the body is not a JSON object: " + err.Error()
	}
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if wrong := set(command, name, given[name]); wrong != "" {
			return wrong
		}
	}
	return ""
}

// set gives a command one of its members.
func set(command *rollout.Command, name string, value json.RawMessage) string {
	known := members(string(command.Verb))
	allowed := false
	for _, member := range known {
		allowed = allowed || member == name
	}
	if !allowed {
		return fmt.Sprintf("%s has no member %.64q%s", string(command.Verb), name, expr.Suggest(name, known))
	}
	var err error
	what := ""
	switch name {
	case "full":
		err = json.Unmarshal(value, &command.Full)
		what = "true or false"
	case "step":
		err = json.Unmarshal(value, &command.Step)
		what = "a number such as 2"
	case "variant":
		err = json.Unmarshal(value, &command.Variant)
		what = `a text such as "canary"`
	case "weight":
		err = json.Unmarshal(value, &command.Weight)
		what = `a text such as "5%"`
	}
	if err != nil {
		return fmt.Sprintf("%s is not %s", name, what)
	}
	return ""
}
