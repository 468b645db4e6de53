package core

// Plan moves the candidate forward step by step while its checks pass, and takes it back when they fail.
type Plan struct {
	// Candidate is the variant that the plan moves forward, which then has no weight of its own. Empty: the only other
	// one than the baseline.
	Candidate string `json:"candidate,omitempty"`

	// Steps are what the candidate goes through, each a larger share than the one before. The last is 100%, or waits for
	// somebody to promote. Empty: there is no plan.
	Steps []Step `json:"steps,omitempty"`

	// Checks are conditions that the candidate has to keep, such as error_rate("canary") <= 0.01. Empty: that it is not
	// worse than the baseline.
	Checks []string `json:"checks,omitempty"`

	// Every is the time from one evaluation of the checks to the next. Empty: 10s.
	Every string `json:"every,omitempty"`

	// Window is how far an evaluation looks back. Empty: 60s.
	Window string `json:"window,omitempty"`

	// MinRequests is how many requests of a variant an evaluation wants to see: it looks back further for them, and holds
	// without them. 0 or none: 50.
	MinRequests int64 `json:"min_requests,omitempty"`

	// Failures is how many failed evaluations in a row roll back. 0 or none: 2.
	Failures int `json:"failures,omitempty"`

	// Alpha is the probability with which a candidate as good as the baseline is rolled back by chance, in all its plan:
	// a percentage, from 0.01% to 20%. Empty: 1%.
	Alpha string `json:"alpha,omitempty"`

	// OnFail is what so many failed evaluations do: "rollback", or "pause" until somebody decides. Empty: rollback.
	OnFail string `json:"on_fail,omitempty"`

	// Deadline is how long a step may hold after its time until that is reported as stalled. Empty: for ever.
	Deadline string `json:"deadline,omitempty"`

	// Only are hours in which the plan goes on by itself, such as "Mon-Fri 09:00-17:00 Europe/Berlin"; rollbacks happen at
	// any time. Empty: always.
	Only []string `json:"only,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Step is a share of traffic for the candidate, and what has to be before the next.
type Step struct {
	// Weight is the candidate's share, in percent. Required. 0 in the first step: rules alone lead to it.
	Weight string `json:"weight,omitempty"`

	// For is how long the step lasts at least. Empty: until an evaluation passes; a last step of 100% promotes at once.
	For string `json:"for,omitempty"`

	// Manual waits for somebody to promote.
	Manual bool `json:"manual,omitempty"`

	// Confirm is a URL that is asked when nothing else keeps the step from ending: it ends when that answers 2xx. Empty:
	// nobody is asked.
	Confirm string `json:"confirm,omitempty"`

	// Order sorts the steps, as in Variant.
	Order int `json:"order,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Notify tells somebody outside what happens to a rollout.
type Notify struct {
	// URL is where events are posted to, http:// or https://: itself, or "env:NAME" or "file:/path", because whoever knows
	// it may post there too. Required.
	URL string `json:"url,omitempty"`

	// Events are those to tell, such as promoted and rolled_back. Empty: all.
	Events []string `json:"events,omitempty"`

	// Secret signs what is posted: "env:NAME", "file:/path", or the text itself. Empty: it is not signed.
	Secret string `json:"secret,omitempty"`

	// Format is "json", or "slack" for incoming webhooks of Slack and what understands them. Empty: json.
	Format string `json:"format,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Prometheus is a server that prometheus() asks. Secrets are "env:NAME", "file:/path", or the text itself.
type Prometheus struct {
	// URL is the server's, such as http://10.0.0.9:9090; Mimir, Thanos and VictoriaMetrics have one with a path. Empty:
	// prometheus() is an error.
	URL string `json:"url,omitempty"`

	// BearerToken is sent as Authorization: Bearer. Empty: none is.
	BearerToken string `json:"bearer_token,omitempty"`

	// Username is the user for basic authentication. Empty: there is none.
	Username string `json:"username,omitempty"`

	// Password is the user's. Empty: there is none.
	Password string `json:"password,omitempty"`

	// Timeout bounds the wait for an answer, 30s at most. Empty: 5s.
	Timeout string `json:"timeout,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}

// Control lets people see and command all rollouts of a gateway that has no place of its own for that (Traefik).
type Control struct {
	// Token is what a request must bring as Authorization: Bearer, of 16 characters at least: "env:NAME", "file:/path", or
	// the text itself. Required.
	Token string `json:"-"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
