package core

// Goal is something that clients are to do, counted once for each of them and compared between variants.
type Goal struct {
	// Name names the goal, in the characters of a rollout's name. Required, unique.
	Name string `json:"name,omitempty"`

	// When is the condition of a request by which a client reaches the goal, such as path() == "/thanks", if it is answered
	// with a status below 400. A condition that asks for status() decides that by itself, as
	// method() == "POST" && path() == "/orders" && status() == 201 does. Required.
	When string `json:"when,omitempty"`

	// Order sorts the goals, as in Variant.
	Order int `json:"order,omitempty"`

	// Rest catches unknown keys, as in Config.
	Rest map[string]any `json:"-" mapstructure:",remain"`
}
