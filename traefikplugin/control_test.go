package traefikplugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/core"
)

const testToken = "the token of the tests"

// planned is a rollout in service mode with a plan, under a name of its own.
func planned(t *testing.T) core.Config {
	t.Helper()
	config := checkout(t)
	config.Revision = "v2"
	config.Variants[1].Weight = ""
	config.Plan = core.Plan{Steps: []core.Step{{Weight: "10%", For: "1h"}, {Weight: "50%", Manual: true}}}
	return config
}

// command returns the middleware of control. It ends with the test.
func command(t *testing.T, token string) http.Handler {
	t.Helper()
	config := core.Config{Control: core.Control{Token: token}}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	handler, err := New(ctx, nobody(t), &config, "control@file")
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// nobody is a service that must get no request.
func nobody(t *testing.T) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a service got %s %s", r.Method, r.URL.Path) })
}

// tell sends a request with a token to a handler, and returns status and body of the answer.
func tell(handler http.Handler, method, path, token string) (int, string) {
	r := httptest.NewRequest(method, "http://ops.example"+path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// stateOf asks control for a rollout's state.
func stateOf(handler http.Handler, name string) string {
	var status core.Status
	_, body := tell(handler, http.MethodGet, "/rollouts/"+name, testToken)
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		return err.Error()
	}
	return status.State
}

func TestControlCommandsRollouts(t *testing.T) {
	config := planned(t)
	start(t, config, func(w http.ResponseWriter, r *http.Request) {})
	handler := command(t, testToken)
	eventually(t, "the plan has begun", func() bool { return stateOf(handler, config.Name) == "progressing" })
	code, body := tell(handler, http.MethodPost, "/behind/a/prefix/rollouts/"+config.Name+"/pause", testToken)
	if code != http.StatusOK || !strings.Contains(body, `"state":"paused"`) {
		t.Errorf("%d %s", code, body)
	}
	if state := stateOf(handler, config.Name); state != "paused" {
		t.Errorf("the state is %s", state)
	}
	code, body = tell(handler, http.MethodGet, "/ops/rollouts", testToken)
	if code != http.StatusOK || !strings.Contains(body, `"`+config.Name+`"`) {
		t.Errorf("%d %s", code, body)
	}
}

func TestControlTellsNothingWithoutTheToken(t *testing.T) {
	config := planned(t)
	start(t, config, func(w http.ResponseWriter, r *http.Request) {})
	handler := command(t, testToken)
	for _, token := range []string{"", "the token of others..", testToken + "x", testToken[1:]} {
		for _, target := range []string{"GET /rollouts", "GET /rollouts/" + config.Name, "POST /rollouts/" + config.Name + "/abort", "GET /elsewhere", "GET /"} {
			method, path, _ := strings.Cut(target, " ")
			code, body := tell(handler, method, path, token)
			if code != http.StatusUnauthorized || strings.Contains(body, config.Name) {
				t.Errorf("%s with %q: %d %s", target, token, code, body)
			}
		}
	}
	if code, body := tell(handler, http.MethodGet, "/elsewhere", testToken); code != http.StatusNotFound || !json.Valid([]byte(body)) {
		t.Errorf("another path: %d %s", code, body)
	}
}

// TestRolloutsAnswerNoCommands: what looks like one is a request like any other.
func TestRolloutsAnswerNoCommands(t *testing.T) {
	config := planned(t)
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	control := command(t, testToken)
	eventually(t, "the plan has begun", func() bool { return stateOf(control, config.Name) == "progressing" })
	for _, path := range []string{"/rollouts", "/rollouts/" + config.Name + "/abort"} {
		if code, body := tell(handler, http.MethodPost, path, testToken); code != http.StatusTeapot || body != "" {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if state := stateOf(control, config.Name); state != "progressing" {
		t.Errorf("the state is %s", state)
	}
}

func TestTokenInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the first of two tokens\n")
	log := &journal{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	config := core.Config{Control: core.Control{Token: "file:" + file}}
	handler, err := NewFor(ctx, nobody(t), &config, "control@file", core.Host{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	knows := func(token string) bool {
		code, _ := tell(handler, http.MethodGet, "/rollouts", token)
		return code == http.StatusOK
	}
	if !knows("the first of two tokens") {
		t.Error("the token in the file does not count")
	}
	write("the second of two tokens\r\n")
	eventually(t, "the second token counts", func() bool { return knows("the second of two tokens") })
	if knows("the first of two tokens") {
		t.Error("the first token counts still")
	}
	write("too short")
	eventually(t, "the log says what is wrong", func() bool { return strings.Contains(log.text(), "it has fewer than 16 characters") })
	if knows("too short") || !knows("the second of two tokens") {
		t.Error("what is no token changed the token")
	}
	if strings.Contains(log.text(), "too short") || strings.Contains(log.text(), "of two tokens") {
		t.Errorf("the log shows a token: %s", log.text())
	}
}

// journal is a log that can be read while it is written.
type journal struct {
	mu      sync.Mutex
	written strings.Builder // guarded by mu
}

// Write takes a line.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written.String()
}

// TestStreamsEndWithControl: what is not configured any more tells nobody anything.
func TestStreamsEndWithControl(t *testing.T) {
	rollout := planned(t)
	start(t, rollout, func(w http.ResponseWriter, r *http.Request) {})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	handler, err := New(ctx, nobody(t), &core.Config{Control: core.Control{Token: testToken}}, "control@file")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	eventually(t, "the plan has begun", func() bool { return stateOf(handler, rollout.Name) == "progressing" })
	request, err := http.NewRequest(http.MethodGet, server.URL+"/rollouts/"+rollout.Name+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+testToken)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	for line := ""; !strings.HasPrefix(line, "data:"); {
		if line, err = reader.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Errorf("the stream ended by %v", err)
	}
}

func TestProblemsOfControl(t *testing.T) {
	for want, config := range map[string]core.Config{
		"control: it commands all rollouts of this Traefik and is none itself": {Name: "shop", Control: core.Control{Token: testToken}},
		"control.token: there is nothing in it: control needs a token, named":  {},
		`control.tokn: unknown key (did you mean "token"?)`:                    {Control: core.Control{Rest: map[string]any{"tokn": "secret"}}},
		"control.token: who knows it may command all rollouts":                 {Control: core.Control{Rest: map[string]any{"tokn": "secret"}}},
		"control.token: it has fewer than 16 characters":                       {Control: core.Control{Token: "fifteen letters"}},
		"control.token: the environment variable GRAYLING_NOT_SET is empty":    {Control: core.Control{Token: "env:GRAYLING_NOT_SET"}},
		"control.token: reading a file: ":                                      {Control: core.Control{Token: "file:/nowhere/token"}},
	} {
		config := config
		_, err := New(context.Background(), nobody(t), &config, "control@file")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "fifteen") {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func TestTokenInTheConfiguration(t *testing.T) {
	var log bytes.Buffer
	host := core.Host{Log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < 2; i++ { // two routers with one middleware
		config := core.Config{Control: core.Control{Token: "a token that can be read"}}
		if _, err := NewFor(ctx, nobody(t), &config, "control@file", host); err != nil {
			t.Fatal(err)
		}
	}
	got := log.String()
	if strings.Count(got, "the token of control stands in the configuration") != 1 || strings.Contains(got, "can be read") {
		t.Errorf("the log has %s", got)
	}
}
