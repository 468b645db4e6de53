package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Status is what the control API shows of a rollout.
type Status struct {
	Name, Revision, State, Cause, Reason, Version, Candidate, Base string

	Since         time.Time
	Epoch, Step   int
	Age           time.Duration `json:"age_ns"`
	Held, Stalled bool
	Awaits        bool `json:"awaits_confirmation"`
	Variants      []VariantStatus
	Evaluation    *Evaluation
	SampleRatio   string `json:"sample_ratio_off"`
	StoreAway     string `json:"store_away"`
	Counts        map[string]int64
	Members       []Member
}

// Member is a gateway of a fleet.
type Member struct {
	ID, Name, Gateway, Revision, State, Verdict, Differs string

	Self, Judges       bool
	Step               int
	Requests, Failures int64
	Reported           time.Duration `json:"reported_ago_ns"`
}

// VariantStatus is what it shows of a variant.
type VariantStatus struct {
	Name, Weight       string
	Requests, Failures int64
}

// Evaluation is what it shows of the last evaluation.
type Evaluation struct {
	Verdict, Reason string
	Failures, Limit int
}

// Weight is a variant's present weight.
func (s Status) Weight(variant string) string { return s.variant(variant).Weight }

// Requests is how many requests of a variant are counted.
func (s Status) Requests(variant string) int64 { return s.variant(variant).Requests }

func (s Status) variant(name string) VariantStatus {
	for _, v := range s.Variants {
		if v.Name == name {
			return v
		}
	}
	return VariantStatus{}
}

// Verdict is that of the last evaluation; empty before the first.
func (s Status) Verdict() string {
	if s.Evaluation == nil {
		return ""
	}
	return s.Evaluation.Verdict
}

// Event is what the control API tells of an event.
type Event struct {
	ID                     int64
	Event                  string
	Time                   time.Time
	Revision, State, Cause string
	Epoch, Step            int
	Reason, Member         string
	Figures                map[string]float64
}

// StateFile is the file in which the state of rollouts is kept, if the site says so.
func (g *Gateway) StateFile() string { return filepath.Join(g.Dir, stateFile) }

// Control sends a request to the control API, as those do who may: target is below /rollouts, "/checkout/promote".
// Header is "Name: value" lines.
func (g *Gateway) Control(method, target, body string, header ...string) (status int, answer string, err error) {
	url, token := g.instance.control()
	r, err := http.NewRequest(method, url+target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	response, err := send(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// send sends a request over a connection of its own. What only reads is sent again if that breaks off: an endpoint that a
// load replaces takes along whom it has just accepted.
func send(r *http.Request) (*http.Response, error) {
	client := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	for again := 4; err != nil && r.Method == http.MethodGet && !os.IsTimeout(err) && again > 0; again-- {
		response, err = client.Do(r)
	}
	return response, err
}

// CommandLine is the program grayling, at work for the gateway.
func (g *Gateway) CommandLine(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	url, token := g.instance.control()
	cmd := exec.Command(CommandBinary(t), append(args, "--timeout", Patience.String())...)
	cmd.Env = append(os.Environ(), "GRAYLING_SERVER="+strings.TrimSuffix(url, "/rollouts"), "GRAYLING_TOKEN="+token)
	return cmd
}

// Status returns how a rollout stands; an error if the control API does not tell.
func (g *Gateway) Status(rollout string) (Status, error) {
	var s Status
	err := g.read("/"+rollout, &s)
	return s, err
}

// Events returns what happened to a rollout.
func (g *Gateway) Events(t testing.TB, rollout string) []Event {
	t.Helper()
	var history struct{ Events []Event }
	if err := g.read("/"+rollout+"/events", &history); err != nil {
		t.Fatalf("events of %s: %v", rollout, err)
	}
	return history.Events
}

func (g *Gateway) read(target string, into any) error {
	code, answer, err := g.Control(http.MethodGet, target, "")
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return controlError(answer)
	}
	return json.Unmarshal([]byte(answer), into)
}

// controlError is an answer of the control API that is not what was asked for.
type controlError string

func (e controlError) Error() string { return "the control API answers " + string(e) }
