package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// maxAnswer is how long an answer may be, in bytes: the one sample that is wanted has a thousandth of it.
const maxAnswer = 1 << 20

// Why there is no value. Errors of [Client.Query] wrap one of these.
var (
	ErrTimeout     = errors.New("no answer in time")
	ErrUnreachable = errors.New("no answer")
	ErrRefused     = errors.New("refused")
	ErrMalformed   = errors.New("no value in the answer")
	ErrEmpty       = errors.New("no series")
	ErrSeveral     = errors.New("more than one series")
	ErrNotFinite   = errors.New("not a finite number")
)

// answer is what the server says, as far as it matters:
// https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview.
type answer struct {
	Status string `json:"status"`
	Data   struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
}

// read returns the value in an answer, which has a status of HTTP.
func read(status int, content []byte) (float64, error) {
	if len(content) > maxAnswer {
		return 0, fmt.Errorf("%w: it is longer than %d bytes: aggregate to one series, as sum() does", ErrMalformed, maxAnswer)
	}
	var a answer
	err := json.Unmarshal(content, &a)
	if err == nil && a.Status == "error" {
		return 0, fmt.Errorf("%w with status %d: %.40s: %.200q", ErrRefused, status, strconv.Quote(a.ErrorType), a.Error)
	}
	if status < 200 || status > 299 {
		return 0, fmt.Errorf("%w with status %d", ErrRefused, status)
	}
	if err != nil || a.Status != "success" {
		return 0, fmt.Errorf("%w: it is no JSON with a status", ErrMalformed)
	}
	switch a.Data.ResultType {
	case "scalar":
		return sample(a.Data.Result)
	case "vector":
		return vector(a.Data.Result)
	}
	return 0, fmt.Errorf("%w: it is a %.20q: a query gives a scalar or an instant vector", ErrMalformed, a.Data.ResultType)
}

// vector returns the value of an instant vector's only series.
func vector(result json.RawMessage) (float64, error) {
	var series []struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(result, &series); err != nil {
		return 0, fmt.Errorf("%w: it is no vector", ErrMalformed)
	}
	switch len(series) {
	case 0:
		return 0, ErrEmpty
	case 1:
		if len(series[0].Value) == 0 {
			return 0, fmt.Errorf("%w: the series is a histogram: take a number of it, as histogram_quantile() does", ErrMalformed)
		}
		return sample(series[0].Value)
	}
	return 0, fmt.Errorf("%w: there are %d: aggregate them, as sum() does", ErrSeveral, len(series))
}

// sample returns the value of a time and a value in a text: [1435781451.781, "1"].
func sample(pair json.RawMessage) (float64, error) {
	var parts []any
	if err := json.Unmarshal(pair, &parts); err != nil || len(parts) != 2 {
		return 0, fmt.Errorf("%w: it has no sample", ErrMalformed)
	}
	text, _ := parts[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.40q is no number", ErrMalformed, text)
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, fmt.Errorf("%w: it is %s, as divided by nothing", ErrNotFinite, text)
	}
	return value, nil
}
