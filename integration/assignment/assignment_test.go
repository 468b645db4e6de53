// Package assignment tests the public description of how a client is assigned: docs/assignment.md, its SQL in a real
// PostgreSQL, its Python, its figures, and the vectors that the engine is tested against.
package assignment

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const docs = "../../docs/"

type (
	vectors struct {
		Slots   []slotCase   `json:"slots"`
		Weights []weightCase `json:"weights"`
		Splits  []splitCase  `json:"splits"`
		Rules   []ruleCase   `json:"rules"`
		Keys    []keyCase    `json:"keys"`
	}
	slotCase struct {
		Salt string `json:"salt"`
		Key  string `json:"key"`
		Slot int    `json:"slot"`
	}
	weightCase struct {
		Weight string `json:"weight"`
		Slots  int    `json:"slots"`
	}
	splitCase struct {
		slotCase
		Variants []weighted `json:"variants"`
		Variant  string     `json:"variant"`
	}
	ruleCase struct {
		slotCase
		Rule    string `json:"rule"`
		Percent string `json:"percent"`
		In      bool   `json:"in"`
	}
	keyCase struct {
		Salt     string     `json:"salt"`
		Key      string     `json:"key"`
		Variants []weighted `json:"variants"`
		Variant  string     `json:"variant"`
	}
	weighted struct {
		Name   string `json:"name"`
		Weight string `json:"weight,omitempty"`
	}
)

func TestScriptWritesTheCommittedVectors(t *testing.T) {
	written := python(t, nil, docs+"assignment_vectors.py")
	committed := read(t, docs+"assignment-vectors.json")
	if !bytes.Equal(written, committed) {
		t.Fatal("docs/assignment-vectors.json is not what docs/assignment_vectors.py writes:\n" +
			"run python3 docs/assignment_vectors.py > docs/assignment-vectors.json")
	}
	v := readVectors(t)
	if n := len(v.Slots) + len(v.Splits) + len(v.Rules); n < 500 {
		t.Errorf("%d vectors, want at least 500", n)
	}
}

func TestPythonOfThePage(t *testing.T) {
	blocks := codeBlocks(t, "python")
	if len(blocks) != 1 {
		t.Fatalf("docs/assignment.md has %d blocks of Python, want 1", len(blocks))
	}
	given := readVectors(t)
	question, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	answer := python(t, question, "-c", blocks[0]+string(read(t, "testdata/answers.py")))
	compare(t, answer, given)
}

// Every number on the page stands in a statement that testdata/facts.py computes anew.
func TestFiguresOfThePage(t *testing.T) {
	var facts []string
	if err := json.Unmarshal(python(t, nil, "testdata/facts.py"), &facts); err != nil {
		t.Fatal(err)
	}
	page := codeBlock.ReplaceAllString(string(read(t, docs+"assignment.md")), "")
	page = strings.Join(strings.Fields(page), " ")
	for _, fact := range facts {
		if !strings.Contains(page, fact) {
			t.Errorf("docs/assignment.md does not say: %s", fact)
		}
	}
	for _, fact := range facts {
		page = strings.ReplaceAll(page, fact, "")
	}
	page = regexp.MustCompile(`SHA-256|UTF-8|\*\*\d\. `).ReplaceAllString(page, "")
	for _, unproven := range regexp.MustCompile(`.{0,40}\d.{0,40}`).FindAllString(page, -1) {
		t.Errorf("a number in docs/assignment.md that testdata/facts.py does not compute: ...%s...", unproven)
	}
}

// compare decodes the answers of another implementation and reports where they differ from the vectors.
func compare(t *testing.T, answer []byte, want vectors) {
	t.Helper()
	var got vectors
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v in the answer:\n%s", err, answer)
	}
	if len(got.Slots) != len(want.Slots) || len(got.Weights) != len(want.Weights) || len(got.Splits) != len(want.Splits) ||
		len(got.Rules) != len(want.Rules) || len(got.Keys) != len(want.Keys) {
		t.Fatalf("the answer leaves vectors out:\n%s", answer)
	}
	for i, c := range want.Slots {
		if got.Slots[i].Slot != c.Slot {
			t.Errorf("slots[%d]: salt %q, key %.80q: %d, want %d", i, c.Salt, c.Key, got.Slots[i].Slot, c.Slot)
		}
	}
	for i, c := range want.Weights {
		if got.Weights[i].Slots != c.Slots {
			t.Errorf("weights[%d]: %s: %d, want %d", i, c.Weight, got.Weights[i].Slots, c.Slots)
		}
	}
	for i, c := range want.Splits {
		if g := got.Splits[i]; g.Slot != c.Slot || g.Variant != c.Variant {
			t.Errorf("splits[%d]: %v, salt %q, key %.80q: %d %s, want %d %s", i, c.Variants, c.Salt, c.Key, g.Slot, g.Variant, c.Slot, c.Variant)
		}
	}
	for i, c := range want.Rules {
		if g := got.Rules[i]; g.Slot != c.Slot || g.In != c.In {
			t.Errorf("rules[%d]: %s %s, salt %q, key %.80q: %d %v, want %d %v", i, c.Rule, c.Percent, c.Salt, c.Key, g.Slot, g.In, c.Slot, c.In)
		}
	}
	for i, c := range want.Keys {
		if got.Keys[i].Variant != c.Variant {
			t.Errorf("keys[%d]: %v, key %q: %s, want %s", i, c.Variants, c.Key, got.Keys[i].Variant, c.Variant)
		}
	}
	t.Logf("compared %d slots, %d weights, %d splits, %d rules, %d keys", len(want.Slots), len(want.Weights), len(want.Splits), len(want.Rules), len(want.Keys))
}

var codeBlock = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?\n)```$")

// codeBlocks returns the blocks of one language in docs/assignment.md.
func codeBlocks(t *testing.T, language string) []string {
	t.Helper()
	var blocks []string
	for _, block := range codeBlock.FindAllStringSubmatch(string(read(t, docs+"assignment.md")), -1) {
		if block[1] == language {
			blocks = append(blocks, block[2])
		}
	}
	return blocks
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(read(t, docs+"assignment-vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// python runs Python with docs/ in its path and returns what it prints.
func python(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is missing: apt-get install python3")
	}
	cmd := exec.Command(path, append([]string{"-B"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+docs)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("python3: %v\n%s", err, &stderr)
	}
	return stdout.Bytes()
}
