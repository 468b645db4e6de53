package core

// Mirror sends copies of requests to a version that no client sees, and tells how its answers differ from the baseline's.
type Mirror struct {
	// Target is who gets the copies: another variant than the baseline, or a URL, http:// or https://, to whose path that
	// of the request is added. Required.
	Target string `json:"target,omitempty"`

	// Name names the mirror in reports, metrics, and the salt by which its requests are chosen, in the characters of a
	// rollout's name. It is for targets that are URLs: one that has the name of a variant stands for that variant, where
	// the gateway does not reach it in another way. Empty: the variant's name, or the URL's host.
	Name string `json:"name,omitempty"`

	// Percent is the share of clients whose requests are copied. Empty: 100%.
	Percent string `json:"percent,omitempty"`

	// When is a condition that a request has to fulfil besides. Empty: none.
	When string `json:"when,omitempty"`

	// Methods are those of requests that are copied. Empty: GET and HEAD, of which copies change nothing.
	Methods []string `json:"methods,omitempty"`

	// Timeout bounds the sending of a copy, to the end of its answer, 10m at most. Empty: 5s.
	Timeout string `json:"timeout,omitempty"`

	// MaxBody is how long the body of a request may be that is copied, such as 64KiB or 1MB, 64 MiB at most. "0": none with
	// a body is. Empty: 64KiB.
	MaxBody string `json:"max_body,omitempty"`

	// Concurrency is how many requests may have copies under way, and again how many may have bodies on their way in.
	// Those beyond are not copied. 0: 64.
	Concurrency int `json:"concurrency,omitempty"`

	// Drop holds headers that copies do not carry. Those to a URL that stands for no variant carry neither Authorization
	// nor Cookie anyway. Empty: no others.
	Drop []string `json:"drop,omitempty"`

	// Compare is what answers have to agree in: "status", "header <name>", "body" or "json". Empty: they are not compared.
	Compare []string `json:"compare,omitempty"`

	// Ignore holds places of JSON that may differ, such as $.meta.time or $.items[*].id, and "order" where that of arrays
	// may. Empty: everything has to agree.
	Ignore []string `json:"ignore,omitempty"`

	// Control is "baseline" where a second copy goes to the baseline, so that only differences count that are more than
	// the baseline's own; where the gateway does not reach the baseline in another way it is the baseline's URL. Empty: all
	// differences count.
	Control string `json:"control,omitempty"`

	// Show is "content" where the report of differing answers may show what is in bodies and queries. Empty: it tells only
	// which fields differ.
	Show string `json:"show,omitempty"`

	// Order sorts the mirrors, as in Variant.
	Order int `json:"order,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
