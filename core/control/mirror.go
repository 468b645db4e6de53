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
	reports, has := l.Mirrors()
	if !has {
		return refuse(http.StatusNotFound, "unknown", "the rollout has no mirrors: name some in its configuration")
	}
	answer(w, http.StatusOK, mirrorsBody{Mirrors: append([]mirror.Report{}, reports...)})
	return nil
}
