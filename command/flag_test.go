package command

import (
	"strings"
	"testing"
)

func TestFlagsWithoutUse(t *testing.T) {
	for _, line := range []string{
		"validate --json testdata/dynamic.yml",
		"validate --server http://localhost:1 testdata/dynamic.yml",
		"simulate --timeout 3s testdata/dynamic.yml",
		"demo --json",
		"dashboard --json",
		"explain --config testdata/dynamic.yml --token-file token http://shop.example/",
	} {
		out, complaint, code := run(t, strings.Fields(line)...)
		if code != exitUsage || out != "" || !strings.Contains(complaint, "has no use for --") {
			t.Errorf("%s: exit code %d: %s%s", line, code, out, complaint)
		}
	}
}

// run executes a command line of a program that has all commands.
func run(t *testing.T, args ...string) (stdout, complaint string, code int) {
	t.Helper()
	var out, complaints output
	root := New(Program{Name: "grayling", RunCaddy: func([]byte) (func() error, error) {
		t.Error("the demo runs")
		return func() error { return nil }, nil
	}})
	root.SetOut(&out)
	root.SetErr(&complaints)
	root.SetArgs(args)
	code = ExitCode(root.ExecuteContext(t.Context()))
	return out.String(), complaints.String(), code
}
