package control

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/grayling-gateway/grayling/core"
)

// explanation is the action that says what would become of a request. It changes nothing, and is a POST because the
// request stands in its body.
const explanation = "explain"

// explain answers with what would become of the request that the body tells of.
func explain(w http.ResponseWriter, r *http.Request, l live) *refusal {
	content, refused := readBody(r)
	if refused != nil {
		return refused
	}
	question := core.Question{}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&question); err != nil {
		return refuse(http.StatusBadRequest, "request", "the body is not the JSON object of a request: "+err.Error())
	}
	if decoder.More() {
		return refuse(http.StatusBadRequest, "request", "the body is more than the JSON object of a request")
	}
	explained, runs, err := l.Explain(r.Context(), question)
	if err != nil {
		return refuse(http.StatusBadRequest, "request", err.Error())
	}
	if !runs {
		return notRunning()
	}
	answer(w, http.StatusOK, *explained)
	return nil
}
