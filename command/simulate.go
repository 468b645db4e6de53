package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/simulation"
)

// simulator is what somebody wants to have simulated.
type simulator struct {
	rehearsal
	against string

	log     string
	host    string
	keys    int
	url     string
	headers []string

	start      string
	manual     time.Duration
	prometheus []string
	scenario   simulation.Scenario
	errorRate  string
	baseline   string
	runs       int
	seed       uint64
}

// result is what was simulated of a rollout.
type result struct {
	Rollout    string              `json:"rollout"`
	Missing    []string            `json:"missing,omitempty"`
	Split      simulation.Tally    `json:"split"`
	Redacted   int64               `json:"redacted_requests,omitempty"`
	OtherLines int64               `json:"other_lines,omitempty"`
	OtherHosts int64               `json:"other_hosts,omitempty"`
	Timeline   []simulation.Stage  `json:"timeline,omitempty"`
	Obstacle   string              `json:"obstacle,omitempty"` // why the candidate is not promoted by so much traffic
	Traffic    *simulation.Summary `json:"traffic,omitempty"`

	candidate string
	manual    time.Duration
	scenario  simulation.Scenario
}

func (o *options) simulate(caddy func(file, adapter string) ([]*core.Engine, error)) *cobra.Command {
	s := &simulator{rehearsal: rehearsal{caddy: caddy}}
	command := &cobra.Command{
		Use: "simulate <file> [<name>]", Short: "Say what a configuration would do to clients, and its plan to a release",
		Long: `Say what a configuration of Caddy's or Traefik's would do, without a gateway:

  - which share of the clients, or of the requests of an access log, gets which variant, and why;
  - with --against, who would get another one by another configuration;
  - when the plan would be in which step, if all goes well;
  - with --rps, how long the plan takes with so much traffic, and with --error-rate or --slower how
    long until a bad candidate is stopped.

Engine, plan and checks are those of the gateway. Traffic is drawn; the same seed draws the same.`,
		Args: heeding(cobra.RangeArgs(1, 2), "json"),
		RunE: func(command *cobra.Command, args []string) error {
			name := ""
			if len(args) > 1 {
				name = args[1]
			}
			return o.runSimulation(command, s, args[0], name)
		},
	}
	flags := command.Flags()
	s.rehearsal.flags(flags)
	flags.StringVar(&s.against, "against", "", "another configuration: who would get another variant by it?")
	flags.StringVar(&s.log, "log", "", "an access log of Caddy's or Traefik's, in JSON, to decide the requests of; - is the standard input")
	flags.StringVar(&s.host, "host", "", "only requests of the log for this host (default all)")
	flags.IntVar(&s.keys, "keys", 100_000, "without a log: how many clients are made up")
	flags.StringVar(&s.url, "url", "http://localhost/", "what those ask for")
	flags.StringArrayVarP(&s.headers, "header", "H", nil, `a header that those send, "Name: value"; may be repeated`)
	flags.StringVar(&s.start, "start", "", "when the plan begins, such as 2027-01-11T09:00:00+01:00 (default now)")
	flags.DurationVar(&s.manual, "manual", 0, "how long people take to promote or confirm")
	flags.StringArrayVar(&s.prometheus, "prometheus", nil, `what Prometheus answers to a query of the checks, "query=value"; may be repeated`)
	flags.Float64Var(&s.scenario.Traffic.Rate, "rps", 0, "requests a second, of all variants together (default no traffic is drawn)")
	flags.StringVar(&s.errorRate, "error-rate", "", "the share of the candidate's requests that fail (default that of the others)")
	flags.StringVar(&s.baseline, "baseline-error-rate", "0.5%", "the share of the other variants' requests that fail")
	flags.Float64Var(&s.scenario.Candidate.Slower, "slower", 1, "how many times as long the candidate takes to answer")
	flags.IntVar(&s.scenario.Traffic.Burst, "burst", 1, "how many errors come at a time")
	flags.DurationVar(&s.scenario.After, "bad-after", 0, "how long the candidate is as the others before it is bad")
	flags.DurationVar(&s.scenario.Patience, "patience", 14*24*time.Hour, "after how much time a run is given up")
	flags.IntVar(&s.runs, "runs", 200, "how often traffic is drawn")
	flags.Uint64Var(&s.seed, "seed", 1, "what it is drawn from")
	return command
}

func (o *options) runSimulation(command *cobra.Command, s *simulator, file, name string) error {
	if err := s.check(command); err != nil {
		return err
	}
	engines, err := s.engines(file, name)
	if err != nil {
		return err
	}
	if len(engines) > 1 {
		var names []string
		for _, e := range engines {
			names = append(names, e.Name())
		}
		return fail(exitUsage, "%s: which rollout? There are %s", file, strings.Join(names, ", "))
	}
	e := engines[0]
	var other *core.Engine
	if s.against != "" {
		others, err := s.engines(s.against, e.Name())
		if err != nil {
			return err
		}
		other = others[0]
	}
	r := result{Rollout: e.Name(), Missing: e.Missing(), manual: s.manual, scenario: s.scenario}
	if err := s.replay(command.Context(), command.InOrStdin(), e, other, &r); err != nil {
		return err
	}
	if err := s.plan(command.Context(), command.ErrOrStderr(), e, &r); err != nil {
		return err
	}
	return o.tellSimulation(command.OutOrStdout(), r)
}

func (o *options) tellSimulation(out io.Writer, r result) error {
	if o.json {
		content, err := json.Marshal(r)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", content)
		}
		return err
	}
	_, err := io.WriteString(out, describeSimulation(r))
	return err
}

// check reads what the flags say.
func (s *simulator) check(command *cobra.Command) error {
	sc := &s.scenario
	switch {
	case s.keys < 1 || s.keys > 1<<24:
		return fail(exitUsage, "--keys: %d: from 1 to %d", s.keys, 1<<24)
	case !(sc.Traffic.Rate >= 0 && sc.Traffic.Rate <= 1e6):
		return fail(exitUsage, "--rps: %g: from 0 to 1,000,000", sc.Traffic.Rate)
	case !(sc.Candidate.Slower >= 0.01 && sc.Candidate.Slower <= 1000):
		return fail(exitUsage, "--slower: %g: from 0.01 to 1000, such as 1.3", sc.Candidate.Slower)
	case sc.Traffic.Burst < 1 || sc.Traffic.Burst > 10_000:
		return fail(exitUsage, "--burst: %d: from 1 to 10,000", sc.Traffic.Burst)
	case s.runs < 1 || s.runs > 100_000:
		return fail(exitUsage, "--runs: %d: from 1 to 100,000", s.runs)
	case sc.Patience <= 0 || sc.Patience > simulation.Horizon:
		return fail(exitUsage, "--patience: %s: up to %s", sc.Patience, simulation.Horizon)
	case s.manual < 0 || sc.After < 0:
		return fail(exitUsage, "--manual and --bad-after are no less than nothing")
	}
	var err error
	if sc.Healthy.Errors, err = rateOf("--baseline-error-rate", s.baseline); err != nil {
		return err
	}
	sc.Healthy.Slower = 1
	sc.Candidate.Errors = sc.Healthy.Errors
	if s.errorRate != "" {
		if sc.Candidate.Errors, err = rateOf("--error-rate", s.errorRate); err != nil {
			return err
		}
	}
	unused, why := []string{"host"}, "the requests of a log: name it, with --log"
	if s.log != "" {
		unused, why = []string{"keys", "url", "header"}, "clients that are made up: with --log those of the log count"
	}
	for _, flag := range unused {
		if command.Flags().Changed(flag) {
			return fail(exitUsage, "--%s is about %s", flag, why)
		}
	}
	if sc.Traffic.Rate > 0 {
		return nil
	}
	for _, flag := range []string{"error-rate", "baseline-error-rate", "slower", "burst", "bad-after", "patience", "runs", "seed"} {
		if command.Flags().Changed(flag) {
			return fail(exitUsage, "--%s is about traffic: say how much there is, with --rps", flag)
		}
	}
	return nil
}

// rateOf reads a percentage as a number from 0 to 1.
func rateOf(flag, text string) (float64, error) {
	number, isPercentage := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(number, 64)
	if isPercentage {
		value /= 100
	}
	if err != nil || !(value >= 0 && value <= 1) {
		return 0, fail(exitUsage, "%s: %q is not a share such as 5%% or 0.05", flag, text)
	}
	return value, nil
}

// replay decides the requests of a log, or of clients that are made up.
func (s *simulator) replay(ctx context.Context, in io.Reader, e, other *core.Engine, r *result) error {
	replay := simulation.NewReplay(e, other)
	defer func() { r.Split = replay.Tally() }()
	if s.log == "" {
		return s.make(ctx, replay, e, other)
	}
	if s.log != "-" {
		file, err := os.Open(s.log)
		if err != nil {
			return fail(exitRefused, "--log: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	others, err := simulation.ReadLog(in, func(l *simulation.Logged) error {
		if s.host != "" && !strings.EqualFold(hostOf(l.Question.URL), s.host) {
			r.OtherHosts++
			return ctx.Err()
		}
		if l.Redacted {
			r.Redacted++
		}
		_ = replay.AddLogged(ctx, l) // what is no request is counted
		return ctx.Err()
	})
	r.OtherLines = others
	if err != nil {
		return fail(exitRefused, "--log %s: %w", s.log, err)
	}
	return nil
}

func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	name, port, ok := strings.Cut(host, ":")
	if ok && port != "" && !strings.Contains(port, ":") {
		return name
	}
	return host
}

// make makes clients up.
func (s *simulator) make(ctx context.Context, replay *simulation.Replay, e, other *core.Engine) error {
	q := question{headers: s.headers}
	if err := q.read(s.url); err != nil {
		return err
	}
	now := time.Now()
	for n := range s.keys {
		first, second := q.Question, q.Question
		first.Headers, second.Headers = maps.Clone(q.Headers), maps.Clone(q.Headers)
		err := e.Identify(&first, n)
		if err == nil && other != nil {
			err = other.Identify(&second, n)
		}
		if err == nil {
			err = replay.Add(ctx, first, second, now)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fail(exitUsage, "%s: %w", e.Name(), err)
		}
	}
	return nil
}

// plan simulates the plan, if there is one.
func (s *simulator) plan(ctx context.Context, notes io.Writer, e *core.Engine, r *result) error {
	release := e.Release()
	if release.Plan == nil {
		if s.scenario.Traffic.Rate > 0 || s.start != "" || s.manual > 0 || len(s.prometheus) > 0 {
			return fail(exitUsage, "%s has no plan, which --rps, --start, --manual and --prometheus are about", e.Name())
		}
		return nil
	}
	r.candidate = release.Variants[release.Candidate]
	p := simulation.Plan{Release: release, Checks: e.Checks(), Start: time.Now().Truncate(time.Second), Manual: s.manual, Prometheus: map[string]float64{}}
	if s.start != "" {
		start, err := time.Parse(time.RFC3339, s.start)
		if err != nil {
			return fail(exitUsage, "--start: %q is not a time such as 2027-01-11T09:00:00+01:00", s.start)
		}
		p.Start = start
	}
	for _, answer := range s.prometheus {
		i := strings.LastIndex(answer, "=")
		value, err := strconv.ParseFloat(answer[i+1:], 64)
		if i < 0 || err != nil {
			return fail(exitUsage, `--prometheus: %q is not a query and its answer, such as "up=1"`, answer)
		}
		p.Prometheus[answer[:i]] = value
	}
	r.Timeline = p.Timeline()
	if s.scenario.Traffic.Rate == 0 {
		return nil
	}
	for _, query := range p.Checks.Queries() {
		if _, known := p.Prometheus[query]; !known {
			return fail(exitUsage, "the checks ask Prometheus, and the plan holds without an answer: say one, as --prometheus '%s=1'", query)
		}
	}
	var final bool
	if r.Obstacle, final = p.Obstacle(s.scenario, r.Timeline); final {
		return nil
	}
	if r.Obstacle != "" {
		_, _ = fmt.Fprintf(notes, "not promoted within %s: %s\nruns take until %s is stopped, or as long\n", // which may be some time
			lasting(s.scenario.Patience), r.Obstacle, r.candidate)
	}
	summary := p.Repeat(s.scenario, s.runs, s.seed, ctx.Done())
	r.Traffic = &summary
	if ctx.Err() != nil {
		return fail(exitRefused, "interrupted after %d of %d runs", summary.Runs, s.runs)
	}
	return nil
}
