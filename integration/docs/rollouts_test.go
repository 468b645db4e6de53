package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/grayling-gateway/grayling/integration/gateway"
)

const rolloutsPage = "docs/rollouts.md"

// TestRolloutsPage holds the page to the code: whatever there is, and nothing else.
func TestRolloutsPage(t *testing.T) {
	column := func(title string) (cells []string) {
		for _, r := range rows(t, rolloutsPage) {
			cells = append(cells, spans(r.cells[title])...)
		}
		return cells
	}
	same(t, "events", column("event"), constants(t, "core/rollout/event.go", "Kind"))
	same(t, "verdicts", column("verdict"), constants(t, "core/rollout/event.go", "Verdict"))
	same(t, "states", column("state"), append(constants(t, "core/rollout/state.go", "State"), "unknown", "outdated"))
	var functions []string
	for _, call := range column("function") {
		name, _, _ := strings.Cut(call, "(")
		functions = append(functions, name)
	}
	same(t, "functions of checks", functions, texts(t, "core/analysis/parse_call.go", "functions"))
	var commands []string
	for _, command := range column("command") {
		name, _, _ := strings.Cut(command, " ")
		commands = append(commands, name)
	}
	for _, verb := range constants(t, "core/rollout/command.go", "Verb") {
		if !slices.Contains(commands, verb) {
			t.Errorf("%s: the command %s is missing", rolloutsPage, verb)
		}
	}
	page := strings.Join(spans(read(t, rolloutsPage)), "\n")
	for _, cause := range constants(t, "core/rollout/state.go", "Cause") {
		if !strings.Contains(page, cause) {
			t.Errorf("%s: the cause %s is missing", rolloutsPage, cause)
		}
	}
}

// TestFieldsOfRollouts requires that the tables have every field of a plan and what belongs to it, by both of its names,
// and no other.
func TestFieldsOfRollouts(t *testing.T) {
	var inCaddy, inTraefik []string
	for _, r := range rows(t, rolloutsPage) {
		for _, span := range spans(r.cells["Caddy"] + " " + r.cells["meaning"]) {
			inCaddy = append(inCaddy, strings.FieldsFunc(span, func(c rune) bool { return !unicode.IsLetter(c) && c != '_' })...)
		}
		inTraefik = append(inTraefik, spans(r.cells["Traefik"])...)
	}
	known := []string{"plan", "store", "prometheus", "member"} // of the rollout itself
	fields := 0
	read := func(n ast.Node) bool {
		if s, ok := n.(*ast.TypeSpec); ok && s.Name.Name == "Control" {
			return false // it is no rollout's
		}
		field, ok := n.(*ast.Field)
		if !ok || field.Names[0].Name == "Rest" {
			return true
		}
		fields++
		_, tag, _ := strings.Cut(strings.Trim(field.Tag.Value, "`"), `json:"`)
		tag, _, _ = strings.Cut(tag, `,`)
		spelled := camelCase(tag)
		known = append(known, spelled)
		if !slices.Contains(inTraefik, spelled) {
			t.Errorf("%s: no table has Traefik's field %s", rolloutsPage, spelled)
		}
		// In a Caddyfile, some are said by what stands where.
		said := map[string]string{"for": "duration", "weight": "percent", "checks": "check", "steps": "step", "kind": "store", "endpoints": "endpoint"}
		if word, ok := said[tag]; !slices.Contains(inCaddy, tag) && (!ok || !slices.Contains(inCaddy, word)) {
			t.Errorf("%s: no table has Caddy's %s", rolloutsPage, tag)
		}
		return true
	}
	ast.Inspect(source(t, "core/config_plan.go"), read)
	ast.Inspect(source(t, "core/config_store.go"), read)
	if fields < 35 {
		t.Errorf("%d fields found: there are more", fields)
	}
	for _, field := range inTraefik {
		if !slices.Contains(known, field) {
			t.Errorf("%s: there is no field %s", rolloutsPage, field)
		}
	}
}

// camelCase spells a name of JSON's as Traefik's users do.
func camelCase(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

// TestChecksOfThePage loads every check that the page shows outside of configurations.
func TestChecksOfThePage(t *testing.T) {
	var checks []string
	for _, b := range blocks(t, rolloutsPage, "go") {
		checks = append(checks, strings.Split(strings.TrimSpace(b.text), "\n")...)
	}
	if len(checks) < 5 {
		t.Fatalf("%d checks found: the page shows more", len(checks))
	}
	var lines string
	for _, check := range checks {
		lines += "\tcheck `" + check + "`\n"
	}
	loads(t, "{\n\trollouts {\n\t\tprometheus http://10.0.0.9:9090\n\t}\n}\n\n"+whole("plan {\n\tstep 100% 1h\n"+lines+"}\n"))
}

// TestReasonsToHold finds what the page says of reasons in what the engine says.
func TestReasonsToHold(t *testing.T) {
	var code strings.Builder
	for _, file := range files(t, "core") {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			code.WriteString(read(t, file))
		}
	}
	found := 0
	for _, r := range rows(t, rolloutsPage) {
		for _, reason := range spans(r.cells["reason"]) {
			found++
			if !strings.Contains(code.String(), reason) {
				t.Errorf("%s:%d: nothing says %q", rolloutsPage, r.line, reason)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d reasons found: the page has more", found)
	}
}

// TestSignatureOfThePage has the page's Python verify what the real Caddy posts, and refuse what somebody changed.
func TestSignatureOfThePage(t *testing.T) {
	shown := blocks(t, rolloutsPage, "python")
	if len(shown) != 1 {
		t.Fatalf("%d blocks of Python: the test knows what to do with one", len(shown))
	}
	type post struct {
		header map[string]string
		body   string
	}
	posts := make(chan post, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		header := make(map[string]string)
		for name := range r.Header {
			header[name] = r.Header.Get(name)
		}
		posts <- post{header, string(body)}
	}))
	t.Cleanup(receiver.Close)
	config := "{\n\tadmin localhost:2019\n\tstorage file_system " + t.TempDir() + "\n}\n" + whole("rollout checkout {\n"+
		"\tvariant stable\n\tvariant canary\n\tplan step 100% 1h\n\tnotify "+receiver.URL+" {\n\t\tsecret \"a secret of notices\"\n\t}\n}\n")
	config = strings.Replace(config, "\n:80 {", "\nhttp://localhost:8080 {", 1)
	exchange := freePorts(t, "localhost:2019 localhost:8080")
	run(t, exchange(config))
	got := <-posts
	for changed, want := range map[string]string{got.body: "True", got.body + " ": "False"} {
		input, err := json.Marshal([]any{got.header, changed})
		if err != nil {
			t.Fatal(err)
		}
		python := exec.CommandContext(t.Context(), "python3", "-c", shown[0].text+
			"import json, sys\nheaders, body = json.load(sys.stdin)\nprint(verified(headers, body.encode(), b'a secret of notices'))\n")
		python.Stdin = strings.NewReader(string(input))
		if out, err := python.CombinedOutput(); err != nil || string(out) != want+"\n" {
			t.Errorf("the page's verification says %s (%v), want %s", out, err, want)
		}
	}
}

// TestDemo runs Caddyfile.example in a hurry. Without traffic it holds; with some it goes forward by itself, and is
// rolled back once the canary is down.
func TestDemo(t *testing.T) {
	config := read(t, "Caddyfile.example")
	if !strings.Contains(config, " 30s\n") {
		t.Fatal("the steps of Caddyfile.example do not last 30s, which the test shortens")
	}
	config = strings.Replace(strings.ReplaceAll(config, " 30s\n", " 1s\n"), "check `", "every 1s\n\t\t\tcheck `", 1)
	start := func(t *testing.T) (exchange func(string) string, rollout func(args ...string) (string, error)) {
		exchange = freePorts(t, config)
		run(t, exchange(config))
		return exchange, func(args ...string) (string, error) {
			command := caddy(t, append([]string{"rollout", "--address", exchange("localhost:2019"), "--timeout", gateway.Patience.String()}, args...)...)
			out, err := command.CombinedOutput()
			return string(out), err
		}
	}
	t.Run("holds, and then goes forward", func(t *testing.T) {
		t.Parallel()
		exchange, rollout := start(t)
		gateway.Eventually(t, "it holds", func() bool {
			out, err := rollout("status")
			return err == nil && strings.Contains(out, "progressing, held  1/3   canary 10%") && strings.Contains(out, "0 requests, and 50 are wanted")
		})
		visit(t, exchange("localhost:8080"))
		if out, err := rollout("watch", "checkout", "--until", "promoted", "--within", "2m"); err != nil || !strings.Contains(out, "step_advanced") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("is rolled back", func(t *testing.T) {
		t.Parallel()
		exchange, rollout := start(t)
		for _, s := range commands(t, "README.md", "-X DELETE") {
			if out, err := shell(t, exchange(s.command)); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		gateway.Eventually(t, "the backend is down", func() bool { return !accepts(exchange("localhost:8082")) })
		visit(t, exchange("localhost:8080"))
		out, err := rollout("watch", "checkout", "--until", "rolled_back", "--within", "2m")
		if err != nil || !strings.Contains(out, `error_rate("canary") <= 0.05: 100% of`) {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// visit sends some hundred requests a second, of ever new users, until the test ends.
func visit(t *testing.T, address string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pace := time.NewTicker(3 * time.Millisecond)
		defer pace.Stop()
		for i := 0; t.Context().Err() == nil; i++ {
			<-pace.C
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.AddCookie(&http.Cookie{Name: "uid", Value: fmt.Sprint("user", i)})
			if response, err := http.DefaultClient.Do(r); err == nil {
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		}
	}()
	t.Cleanup(func() { <-done }) // the context has ended by then
}
