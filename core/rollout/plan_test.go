package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
)

func TestPlanCheck(t *testing.T) {
	good := []Step{{Weight: 10 * percent, For: time.Minute}, {Weight: balance.Full}}
	full := balance.Full
	cases := []struct {
		what   string
		others balance.Weight
		edit   func(p *Plan)
		wrong  string // "path: a part of the text", and so on
	}{
		{"good", 0, func(p *Plan) {}, ""},
		{"no steps", 0, func(p *Plan) { p.Steps = nil }, "steps: at least one step"},
		{"0% first", 0, func(p *Plan) { p.Steps[0].Weight = 0 }, ""},
		{"100% at once", 0, func(p *Plan) { p.Steps = p.Steps[1:] }, ""},
		{"the same twice", 0, func(p *Plan) { p.Steps = append(p.Steps[:1], good...) }, "steps[1].weight: 10% does not come after 10%"},
		{"downwards", 0, func(p *Plan) { p.Steps = append([]Step{{Weight: 10*percent + 1}}, good...) }, "steps[1].weight: 10% does not come after 10.000001%"},
		{"the last below 100%", 0, func(p *Plan) { p.Steps[1] = Step{Weight: full - 1, For: time.Hour} }, "steps[1]: the last step is 99.999999%"},
		{"the last below 100%, manual", 0, func(p *Plan) { p.Steps[1] = Step{Weight: full - 1, Manual: true} }, ""},
		{"with others", 30 * percent, func(p *Plan) { p.Steps[1] = Step{Weight: 70 * percent, Manual: true} }, ""},
		{"a slot too much", 30*percent + 1, func(p *Plan) { p.Steps[1] = Step{Weight: 70 * percent, Manual: true} }, "steps[1].weight: 70% beside the other variants' 30.000001% is more than 100%"},
		{"100% with others", 1, func(p *Plan) {}, "steps[1].weight: 100% beside"},
		{"manual with a time", 0, func(p *Plan) { p.Steps[0].Manual = true }, "steps[0]: leave out its duration 1m0s"},
		{"manual with a confirm", 0, func(p *Plan) { p.Steps[0] = Step{Weight: percent, Manual: true, Confirm: "http://gate"} }, "steps[0]: leave out one of them"},
		{"a confirm that is no URL", 0, func(p *Plan) { p.Steps[0].Confirm = "gate.example:80/?token=secret" }, "steps[0].confirm: not a URL such as"},
		{"a confirm of another scheme", 0, func(p *Plan) { p.Steps[0].Confirm = "ftp://gate.example" }, "steps[0].confirm: not a URL such as"},
		{"a negative time", 0, func(p *Plan) { p.Steps[0].For = -1 }, "steps[0].for: -1ns"},
		{"a weight out of range", 0, func(p *Plan) { p.Steps[0].Weight = -1 }, "steps[0].weight: from 0% to 100%"},
		{"too often", 0, func(p *Plan) { p.Every = time.Second - 1 }, "every: a second at least"},
		{"a short window", 0, func(p *Plan) { p.Window = p.Every - 1 }, "window: some requests would never be seen"},
		{"no requests", 0, func(p *Plan) { p.MinRequests = 0 }, "min_requests: at least 1"},
		{"no failures", 0, func(p *Plan) { p.Failures = 0 }, "failures: at least 1"},
		{"a negative deadline", 0, func(p *Plan) { p.Deadline = -time.Hour }, "deadline: -1h0m0s"},
		{"all at once", 0, func(p *Plan) { p.MinRequests = 0; p.Failures = -1 }, "min_requests: at least 1; failures: -1 is too few"},
	}
	for _, c := range cases {
		plan := planned(append([]Step(nil), good...)...).Plan
		c.edit(plan)
		problems := plan.Check(c.others)
		var want []string
		if c.wrong != "" {
			want = strings.Split(c.wrong, "; ")
		}
		if len(problems) != len(want) {
			t.Errorf("%s: problems %+v, want %q", c.what, problems, want)
			continue
		}
		for i, p := range problems {
			path, says, _ := strings.Cut(want[i], ": ")
			if p.Path != path || !strings.Contains(p.Text, says) || strings.Contains(p.Text, "secret") {
				t.Errorf("%s: %s: %s, want %q", c.what, p.Path, p.Text, want[i])
			}
		}
	}
}

func TestHours(t *testing.T) {
	cases := []struct {
		text string
		in   string // times, in UTC
		out  string
	}{
		{"Mon-Fri 09:00-17:00", "2026-11-23T09:00:00Z 2026-11-27T16:59:59.999999999Z", "2026-11-23T08:59:59.999999999Z 2026-11-23T17:00:00Z 2026-11-28T12:00:00Z"},
		{"sat,SUN", "2026-11-28T00:00:00Z 2026-11-29T23:59:59Z", "2026-11-27T23:59:59Z 2026-11-30T00:00:00Z"},
		{"Sat-Mon", "2026-11-28T00:00:00Z 2026-11-30T23:59:59Z", "2026-11-27T12:00:00Z 2026-12-01T00:00:00Z"},
		{"Mon-Mon,Wed", "2026-11-23T12:00:00Z 2026-11-25T12:00:00Z", "2026-11-24T12:00:00Z 2026-11-26T12:00:00Z"},
		{"00:00-24:00", "2026-11-23T00:00:00Z 2026-11-23T23:59:59Z", ""},
		{"22:00-06:00", "2026-11-23T22:00:00Z 2026-11-24T05:59:59Z 2026-11-24T00:00:00Z", "2026-11-24T06:00:00Z 2026-11-24T21:59:59Z"},
		{"Fri 22:00-06:00", "2026-11-27T22:00:00Z 2026-11-28T05:59:59Z", "2026-11-27T05:00:00Z 2026-11-28T06:00:00Z 2026-11-28T22:00:00Z"},
		{"Fri 22:00-00:00", "2026-11-27T22:00:00Z 2026-11-27T23:59:59Z", "2026-11-28T00:00:00Z"},
		{"Europe/Berlin", "2026-11-23T00:00:00Z", ""},
		{"Mon 00:00-01:00 Asia/Kolkata", "2026-11-22T18:30:00Z 2026-11-22T19:29:59Z", "2026-11-22T18:29:59Z 2026-11-22T19:30:00Z 2026-11-23T00:30:00Z"},
		{"Mon-Fri 09:00-17:00 Europe/Berlin", "2026-11-23T08:00:00Z 2026-07-06T07:00:00Z", "2026-11-23T07:59:59Z 2026-11-23T16:00:00Z 2026-07-06T15:00:00Z"},
		// On the 29th of March 2026 clocks go from 02:00 to 03:00 in Berlin, and on the 25th of October from 03:00 to 02:00.
		{"02:00-03:00 Europe/Berlin", "2026-03-28T01:30:00Z 2026-10-25T00:00:00Z 2026-10-25T00:59:59Z 2026-10-25T01:00:00Z 2026-10-25T01:59:59Z", "2026-03-29T00:59:59Z 2026-03-29T01:00:00Z 2026-10-25T02:00:00Z"},
		{"01:30-02:30 Europe/Berlin", "2026-03-29T00:30:00Z 2026-03-29T00:59:59Z 2026-10-25T00:29:59Z 2026-10-25T01:00:00Z 2026-10-25T01:29:59Z", "2026-03-29T01:00:00Z 2026-10-25T00:30:00Z 2026-10-25T01:30:00Z"},
		{"Sun 22:00-06:00 Europe/Berlin", "2026-10-25T21:00:00Z 2026-10-26T04:59:59Z", "2026-10-25T20:59:59Z 2026-10-26T05:00:00Z"},
	}
	for _, c := range cases {
		hours, err := ParseHours(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if hours.String() != c.text {
			t.Errorf("%s is shown as %s", c.text, hours.String())
		}
		for _, in := range []bool{true, false} {
			times := c.in
			if !in {
				times = c.out
			}
			for _, text := range strings.Fields(times) {
				at, err := time.Parse(time.RFC3339, text)
				if err != nil {
					t.Fatal(err)
				}
				if hours.Contain(at) != in {
					t.Errorf("%s contains %s: %v, want %v", c.text, text, !in, in)
				}
			}
		}
	}
}

func TestHoursThatAreNone(t *testing.T) {
	cases := []struct{ text, says string }{
		{"", "says nothing"},
		{" ", "says nothing"},
		{"Mon-Fry", `"Mon-Fry" is neither days nor times nor a time zone`},
		{"Mon,", `"Mon," is neither`},
		{"Mon-Tue-Wed", "is neither"},
		{"09:00", `"09:00" is not a span`},
		{"09:00-", "is not a span"},
		{"9:00-17:00", "is not a span"},
		{"09:00-17:60", "is not a span"},
		{"09:00-25:00", "is not a span"},
		{"09:00-09:00", "is not a span"},
		{"24:00-06:00", "is not a span"},
		{"09:00-17:00 Mon", `"Mon" is neither`},
		{"Mon 09:00-12:00 13:00-17:00", `"13:00-17:00" is neither`},
		{"Mon Europe/Berlin 09:00-17:00", `"Europe/Berlin 09:00-17:00" is too much`},
		{"09:00-17:00 Europe/Berlim", `"Europe/Berlim" is neither`},
		{"../../etc/passwd", "is neither"},
	}
	for _, c := range cases {
		if hours, err := ParseHours(c.text); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "such as Mon-Fri") {
			t.Errorf("%q: %v, error %v, want one that says %q", c.text, hours, err, c.says)
		}
	}
}

func TestAnyOfSeveralHours(t *testing.T) {
	plan := planned(Step{Weight: balance.Full}).Plan
	for _, text := range []string{"Mon 09:00-10:00", "Tue 09:00-10:00"} {
		hours, err := ParseHours(text)
		if err != nil {
			t.Fatal(err)
		}
		plan.Only = append(plan.Only, hours)
	}
	morning := monday.Add(-3 * time.Hour)
	for i, want := range []bool{true, true, false} {
		if got := plan.open(morning.Add(time.Duration(i) * 24 * time.Hour)); got != want {
			t.Errorf("on day %d it goes on: %v, want %v", i, got, want)
		}
	}
}
