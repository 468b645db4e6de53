package control

import (
	"net/http"

	"github.com/grayling-gateway/grayling/core/goal"
)

// resultsBody holds how variants compare, in the present period first.
type resultsBody struct {
	Results []goal.Results `json:"results"`
}

func results(w http.ResponseWriter, l live) *refusal {
	list, has := l.Results()
	if !has {
		return refuse(http.StatusNotFound, "unknown", "the rollout counts no goals: name some in its configuration")
	}
	answer(w, http.StatusOK, resultsBody{Results: list})
	return nil
}
