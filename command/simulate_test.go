package command

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const simulated = `http:
  middlewares:
    checkout:
      plugin:
        grayling:
          name: checkout
          revision: v2
          variants: [{ name: stable }, { name: canary }]
          rules: [{ name: eu, use: canary, when: 'header("X-Region") == "eu"' }]
          key: ['cookie("uid")']
          plan:
            steps: [{ weight: STEP, for: 10m }, { weight: 50%, manual: true }, { weight: 100% }]
            CHECKS
          prometheus: { url: "http://127.0.0.1:9" }
`

func simulatedConfig(t *testing.T, step, checks string) string {
	t.Helper()
	return written(t, "dynamic.yml", strings.NewReplacer("STEP", step, "CHECKS", checks).Replace(simulated))
}

func TestSimulate(t *testing.T) {
	five, ten := simulatedConfig(t, "5%", ""), simulatedConfig(t, "10%", "")
	asking := simulatedConfig(t, "5%", `checks: ['prometheus("up") > 0']`)
	log := written(t, "access.log", `{"request":{"method":"GET","host":"shop.example","uri":"/","client_ip":"192.0.2.1","headers":{"X-Region":["eu"]}},"rollout_checkout":"canary"}
{"request":{"method":"GET","host":"shop.example:80","uri":"/","headers":{"Cookie":["REDACTED"]}},"rollout_checkout":"canary"}
{"request":{"method":"GET","host":"other.example","uri":"/"}}
{"request":{"method":"GET IT","host":"shop.example","uri":"/"}}
hello
`)
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{five, "--keys", "5000"}, []string{
			"checkout: 5000 requests of 5000 clients\nVARIANT  REQUESTS  SHARE\nstable   4759      95.18%\ncanary   241       4.82%\nby split 100.00%\n",
			"the plan, if every evaluation passes\nSTEP      WEIGHT  AFTER   AT ", "2         50%     10m0s   ", "until somebody promotes\npromoted  100%    10m10s ",
		}},
		{[]string{five, "--keys", "5000", "-H", "X-Region: eu"}, []string{"canary   5000      100.00%\nby rule 100.00%\nby rule eu 100.00%\n"}},
		{[]string{five, "checkout", "--keys", "5000", "--against", ten}, []string{
			"the other configuration moves 4.50% of the clients, and 4.50% of the requests\nFROM    TO      CLIENTS  REQUESTS\nstable  canary  4.50%    4.50%\nthen: stable 90.68%, canary 9.32%\n"}},
		{[]string{five, "--keys", "1000", "--against", five}, []string{"moves 0.00% of the clients, and 0.00% of the requests\nthen: "}},
		{[]string{five, "--keys", "1000", "--step", "2"}, []string{"canary   "}},
		{[]string{five, "--keys", "10", "--start", "2027-01-11T09:00:00+01:00", "--manual", "2h"}, []string{
			"passes, and people take 2h0m0s\n", "1         5%      0s     Mon 2027-01-11 09:00:00 +0100  10m0s\n", "promoted  100%    2h10m  Mon 2027-01-11 11:10:00 +0100"}},
		{[]string{five, "--keys", "10", "--rps", "50", "--runs", "20", "--error-rate", "30%"}, []string{
			"with 50 requests a second, of which 0.50% fail, and of canary 30.00%: 20 runs, seed 1\n  promoted: none\n  stopped: 100.00%, after ", "in step 1: 100.00%", "such as: !worse"}},
		{[]string{asking, "--keys", "10", "--rps", "50", "--runs", "3", "--prometheus", "up=1"}, []string{"promoted: 100.00%, after 10m", "stopped: none"}},
		{[]string{five, "--keys", "10", "--rps", "0.0001"}, []string{
			"with 0.0001 requests a second, of which 0.50% fail, and of canary 0.50%: not promoted within 14d0h\n  step 1 does not end even if all goes well: !worse(\"canary\"): ", "and 50 are wanted\n"}},
		{[]string{five, "--log", log, "--host", "shop.example"}, []string{
			"checkout: 2 requests of 0 clients\n", "canary   1         50.00%\n",
			"of 2 requests the log says which variant they got, and of 1 it is the same\nof 1 requests the log holds back headers",
			"left out: 1 requests that are none, 1 lines that tell of none, 1 requests for other hosts\n"}},
	} {
		stdout, stderr, code := execute(t.Context(), append([]string{"simulate"}, c.args...)...)
		if code != 0 || stderr != "" {
			t.Errorf("%s: exit code %d: %s", c.args[1:], code, stderr)
		}
		for _, part := range c.parts {
			if !strings.Contains(stdout, part) {
				t.Errorf("%s: no %q in\n%s", c.args[1:], part, stdout)
			}
		}
	}
	stdout, _, _ := execute(t.Context(), "simulate", five, "--keys", "1000", "--against", ten, "--rps", "5", "--runs", "2", "--json")
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.Rollout != "checkout" || r.Split.Requests != 1000 || r.Split.Movement == nil ||
		len(r.Timeline) != 3 || r.Traffic == nil || r.Traffic.Runs != 2 {
		t.Errorf("%v: %s", err, stdout)
	}
}

// TestSimulateWithoutAnEnd: where a bad candidate may be stopped, and none is promoted, that is said at once.
func TestSimulateWithoutAnEnd(t *testing.T) {
	stdout, stderr, code := execute(t.Context(), "simulate", simulatedConfig(t, "5%", ""), "--keys", "10", "--manual", "900h", "--rps", "50", "--runs", "2", "--error-rate", "30%")
	if code != 0 || stderr != "not promoted within 14d0h: the plan takes longer even if all goes well\nruns take until canary is stopped, or as long\n" ||
		!strings.Contains(stdout, "stopped: 100.00%") {
		t.Errorf("exit code %d: %s\n%s", code, stderr, stdout)
	}
	stdout, _, _ = execute(t.Context(), "simulate", simulatedConfig(t, "5%", ""), "--keys", "10", "--rps", "0.0001", "--json")
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || !strings.HasPrefix(r.Obstacle, "step 1 does not end") || r.Traffic != nil {
		t.Errorf("%v: %s", err, stdout)
	}
}

func TestSimulateStandardInput(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.WriteString(`{"request":{"method":"GET","host":"a","uri":"/","headers":{"Cookie":["uid=1"]}}}` + "\n"); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	var out output
	root := New(Program{Name: "grayling"})
	root.SetIn(reader)
	root.SetOut(&out)
	root.SetArgs([]string{"simulate", simulatedConfig(t, "5%", ""), "--log", "-"})
	if err := root.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "checkout: 1 requests of 1 clients\n") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestSimulateWrongly(t *testing.T) {
	five := simulatedConfig(t, "5%", `checks: ['prometheus("up") > 0']`)
	logged := written(t, "access.log", `{"request":{"method":"GET","host":"shop.example","uri":"/"}}`+"\n")
	planless := written(t, "a.yml", "http: {middlewares: {a: {plugin: {grayling: {name: a, variants: [{name: x}, {name: y, weight: 5}], key: 'path()'}}}}}\n")
	for _, c := range []struct {
		args []string
		code int
		part string
	}{
		{[]string{}, exitUsage, "accepts between 1 and 2 arg"},
		{[]string{explainConfig}, exitUsage, "which rollout? There are checkout, landing, search"},
		{[]string{five, "--keys", "0"}, exitUsage, "--keys: 0"},
		{[]string{five, "--rps", "-1"}, exitUsage, "--rps: -1"},
		{[]string{five, "--rps", "NaN"}, exitUsage, "--rps: NaN"},
		{[]string{five, "--slower", "0"}, exitUsage, "--slower: 0"},
		{[]string{five, "--burst", "0"}, exitUsage, "--burst: 0"},
		{[]string{five, "--runs", "0", "--rps", "1"}, exitUsage, "--runs: 0"},
		{[]string{five, "--patience", "-1h", "--rps", "1"}, exitUsage, "--patience"},
		{[]string{five, "--manual", "-1h"}, exitUsage, "no less than nothing"},
		{[]string{five, "--error-rate", "5%"}, exitUsage, "say how much there is, with --rps"},
		{[]string{five, "--rps", "1", "--error-rate", "500%"}, exitUsage, `"500%" is not a share`},
		{[]string{five, "--rps", "1", "--keys", "1"}, exitUsage, "the plan holds without an answer: say one, as --prometheus 'up=1'"},
		{[]string{five, "--keys", "1", "--prometheus", "up"}, exitUsage, "is not a query and its answer"},
		{[]string{five, "--keys", "1", "--start", "soon"}, exitUsage, "--start"},
		{[]string{five, "--log", "/no/such.log"}, exitRefused, "/no/such.log"},
		{[]string{five, "--host", "shop.example"}, exitUsage, "--host is about the requests of a log: name it, with --log"},
		{[]string{five, "--log", five, "--keys", "5"}, exitUsage, "--keys is about clients that are made up"},
		{[]string{five, "--log", five, "-H", "X: y"}, exitUsage, "--header is about clients that are made up"},
		{[]string{five, "--log", five}, exitRefused, "no request of an access log"},
		{[]string{five, "--url", "shop"}, exitUsage, "is not a URL"},
		{[]string{five, "--against", "/no/such.yml"}, exitRefused, "/no/such.yml"},
		{[]string{planless, "--log", logged, "--start", "2027-01-11T09:00:00+01:00"}, exitUsage, "a has no plan, which --rps, --start,"},
		{[]string{planless}, exitUsage, "made of path(), by which no clients can be made up"},
		{[]string{planless, "--step", "2"}, exitUsage, "no plan"},
	} {
		if _, stderr, code := execute(t.Context(), append([]string{"simulate"}, c.args...)...); code != c.code || !strings.Contains(stderr, c.part) {
			t.Errorf("%s: exit code %d, want %d with %q: %s", c.args, code, c.code, c.part, stderr)
		}
	}
}
