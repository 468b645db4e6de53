package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
)

// Rehearse returns an engine that decides for a configuration away from its gateway, for [Engine.Explain] and for
// simulations. It never runs. Files and secrets that are not here are no errors: [Engine.Missing] names them, and nothing
// is in them. A rollout with a plan is in its first step, until [Engine.Suppose] says otherwise.
func Rehearse(config Config, host Host) (*Engine, error) {
	missing := &[]string{}
	host.dry = true
	host.missing = func(what string) { *missing = append(*missing, what) }
	host.watch = func(path string, load func(content []byte) error) error {
		content, here := contentOf(path)
		if here {
			return load(content)
		}
		host.missing(fmt.Sprintf("the file %s cannot be read here, as if it were empty", path))
		return nil
	}
	host.Store = nil
	host.Remember = false
	e, err := Compile(config, nil, host)
	if err != nil {
		return nil, err
	}
	e.missing = *missing
	if e.plan != nil {
		err = e.Suppose(rollout.Progressing, 1)
	}
	return e, err
}

func contentOf(path string) ([]byte, bool) {
	content, err := os.ReadFile(path)
	here := err == nil
	return content, here
}

// Missing says what the configuration of a rehearsed engine names and is not here.
func (e *Engine) Missing() []string { return append([]string(nil), e.missing...) }

// Suppose has a rehearsed engine decide as if its rollout were in a state, and in a step of its plan; 0 is the first.
func (e *Engine) Suppose(state rollout.State, step int) error {
	if e.plan == nil {
		return errors.New("the rollout has no plan, and so neither states nor steps")
	}
	if step == 0 {
		step = 1
	}
	if n := len(e.plan.Steps); step < 1 || step > n {
		return fmt.Errorf("there is no step %d: the plan has 1 to %d", step, n)
	}
	switch state {
	case rollout.Progressing, rollout.Paused, rollout.Promoted, rollout.RolledBack:
	default:
		return fmt.Errorf("%.40q is no state: there are %s, %s, %s and %s", string(state), string(rollout.Progressing), string(rollout.Paused),
			string(rollout.Promoted), string(rollout.RolledBack))
	}
	record := rollout.Record{
		Revision: e.release.Revision, Candidate: e.variants[e.candidate], State: state, Step: step,
		Weight: e.plan.Steps[step-1].Weight.String(), Since: clocks().Wall,
	}
	m, _ := rollout.New(e.release, record, clocks())
	view := &rollout.View{Release: e.release, State: m.State(), Position: m.Position(), Weights: m.Weights(), Record: m.Record()}
	p := e.newPhase(view, e.live.turn.Load(), true)
	if p == nil {
		return fmt.Errorf("the weights of step %d make no split", step)
	}
	e.phase.Store(p)
	return nil
}

// Release returns what the engine's configuration says of its rollout, for simulations of the plan.
func (e *Engine) Release() rollout.Release { return e.release }

// Checks returns the checks of the plan; nil without one.
func (e *Engine) Checks() *analysis.Checks { return e.checks }

// Identify has a question come from the n-th of many clients, whom the first value of the rollout's key that can be made up
// identifies: as user-n where that is any text, and by the n-th address of 10.0.0.0/8 where it is the client's. Without a
// key nobody is known, and every request is decided by chance.
func (e *Engine) Identify(q *Question, n int) error {
	key := e.key
	if e.assigner != nil && e.assigner.identifies && e.assigner.client != nil {
		key = e.assigner.client
	}
	values := key.Values()
	for _, value := range values {
		identified, err := identify(q, value[0], value[1], n)
		if identified || err != nil {
			return err
		}
	}
	if len(values) > 0 {
		return fmt.Errorf("the key is made of %s(), by which no clients can be made up: replay an access log", values[0][0])
	}
	return nil
}

// identify reports whether a value could be made up, which then identifies the client.
func identify(q *Question, function, name string, n int) (bool, error) {
	client := fmt.Sprintf("user-%d", n)
	switch function {
	case "header":
		set(&q.Headers, name, client)
	case "cookie":
		cookie := name + "=" + client
		if before := q.Headers["Cookie"]; len(before) > 0 {
			cookie = before[0] + "; " + cookie
		}
		set(&q.Headers, "Cookie", cookie)
	case "query":
		address, err := url.Parse(q.URL)
		if err != nil {
			return false, wrongQuestion("url: %.100q", q.URL)
		}
		values := address.Query()
		values.Set(name, client)
		address.RawQuery = values.Encode()
		q.URL = address.String()
	case "ip":
		q.IP = fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	case "claim":
		claims, err := json.Marshal(map[string]string{name: client})
		if err != nil {
			return false, err
		}
		q.Claims = claims
	case "placeholder":
		if q.Placeholders == nil {
			q.Placeholders = map[string]string{}
		}
		q.Placeholders[name] = client
	default:
		return false, nil
	}
	return true, nil
}

func set(headers *map[string][]string, name, value string) {
	if *headers == nil {
		*headers = map[string][]string{}
	}
	(*headers)[name] = []string{value}
}
