package control

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/grayling-gateway/grayling/core"
)

// seriesBody holds points of a rollout, oldest first.
type seriesBody struct {
	Points []core.Point `json:"points"`
}

// series answers with the points after the one that the client names.
func series(w http.ResponseWriter, r *http.Request, l live) *refusal {
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 0 {
			return refuse(http.StatusBadRequest, "request", fmt.Sprintf("%.32q is not the ID of a point: a number from 0", text))
		}
		after = id
	}
	answer(w, http.StatusOK, seriesBody{Points: append([]core.Point{}, l.Series(after)...)})
	return nil
}
