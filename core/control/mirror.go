package control

import (
	"net/http"

	"github.com/grayling-gateway/grayling/core/mirror"
)

// mirrorsBody holds what was learned from a rollout's mirrors, in the order of its configuration.
type mirrorsBody struct {
	Mirrors []mirror.Report `json:"mirrors"`
}

func mirrors(w http.ResponseWriter, l live) *refusal {
	answer(w, http.StatusOK, mirrorsBody{Mirrors: append([]mirror.Report{}, l.Mirrors()...)})
	return nil
}
