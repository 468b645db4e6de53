package notify

import (
	"context"
	"encoding/json"
)

// Question is what the URL that confirms a step is asked, as JSON.
type Question struct {
	Rollout  string `json:"rollout"`
	Revision string `json:"revision"`
	Epoch    int    `json:"epoch"`
	Step     int    `json:"step"`   // from 1
	Weight   string `json:"weight"` // of the candidate in the step, such as "10%"
}

// Confirm posts a question to a URL once and reports whether the answer is a 2xx: then the step may end. The reason says
// why not, without what of the URL may be a secret. A redirect is no confirmation.
func Confirm(ctx context.Context, address string, q Question) (confirmed bool, reason string) {
	body, err := json.Marshal(q)
	if err != nil {
		return false, "the question cannot be written: " + err.Error()
	}
	a, err := post(ctx, address, body, nil)
	if err != nil {
		return false, shown(address) + " did not confirm the step: " + err.Error()
	}
	if !a.ok() {
		return false, shown(address) + " did not confirm the step: it answered " + a.status
	}
	return true, ""
}
