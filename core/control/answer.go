package control

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// refusal is why a request is not answered as it wants.
type refusal struct {
	status int
	code   string // for programs
	text   string // for people
}

func refuse(status int, code, text string) *refusal {
	return &refusal{status: status, code: code, text: text}
}

// errorBody is what a refused request gets.
type errorBody struct {
	Error string `json:"error"`
	Code  string `json:"code"`
}

func answerError(w http.ResponseWriter, r *refusal) {
	answer(w, r.status, errorBody{Error: r.text, Code: r.code})
}

func answer(w http.ResponseWriter, status int, body any) {
	content, err := encode(body)
	if err != nil {
		status = http.StatusInternalServerError
		content, _ = encode(errorBody{Error: "encoding the answer: " + err.Error(), Code: "internal"}) // two texts
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(content) // the client may be gone
}

// encode returns JSON in one line, with its end. Conditions in it stay legible: no browser takes it for HTML.
func encode(body any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(body)
	return line.Bytes(), err
}
