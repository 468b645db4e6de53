package control

import (
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/goal"
)

func TestResults(t *testing.T) {
	f := newFake()
	h := handlerOf(map[string]live{"checkout": f})
	wantAnswer(t, "without goals", ask(h, "GET", "/rollouts/checkout/results", ""), 404, `"code":"unknown"`, "counts no goals: name some")
	f.results = []goal.Results{}
	wantAnswer(t, "nobody yet", ask(h, "GET", "/rollouts/checkout/results", ""), 200, `{"results":[]}`)
	period := goal.Period{Begin: time.Unix(1e9, 0).UTC(), Variants: []string{"classic", "bold"}, Weights: []float64{50, 50}, Goals: []string{"paid"}}
	f.results = []goal.Results{
		goal.Compare(goal.Counts{Period: period, Clients: []int64{5106, 5112}, Reached: [][]int64{{511, 667}}, Mixed: 4, Sampled: 0.5}, 0.95),
		goal.Compare(goal.Counts{Period: period, Clients: []int64{4, 4000}, Reached: [][]int64{{0, 9}}, Sampled: 1}, 1e-12),
	}
	wantAnswer(t, "two periods", ask(h, "GET", "/rollouts/checkout/results", ""), 200,
		`{"results":[{"begin":"2001-09-09T01:46:40Z","clients":20444,"mixed":8,"sampled":0.5,"sample_ratio_p_value":0.95,"believe":true,"level":0.95,"goals":[{"name":"paid","variants":[`,
		`{"name":"classic","clients":5106,"reached":511,"rate":0.1000`, `"against_baseline":{"difference":0.0303`, `"verdict":"better"}`,
		`"sample_ratio_p_value":1e-12,"believe":false`, `{"name":"bold","clients":4000,"reached":9,"rate":0.00225,"interval":{"low":0.00118`)
	wantAnswer(t, "a command", ask(h, "POST", "/rollouts/checkout/results", ""), 405, `"code":"method"`)
	wantAnswer(t, "no rollout", ask(h, "GET", "/rollouts/search/results", ""), 404, `"code":"unknown"`)
}
