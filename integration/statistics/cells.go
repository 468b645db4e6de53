package main

import "time"

// The plans that are simulated. Each ends with 100%, which promotes.
var (
	short = []step{{1, 10 * time.Minute}, {10, 30 * time.Minute}, {50, 30 * time.Minute}}
	long  = []step{{1, 10 * time.Minute}, {10, time.Hour}, {50, 2 * time.Hour}}
)

// rates are the columns of a table: requests a second, of both variants together.
var rates = []float64{1, 5, 50}

// row is one of a table: scenarios that differ in the rate of requests alone.
type row struct {
	name     string
	scenario scenario
}

// table is rows that are told in the same way.
type table struct {
	title string
	rows  []row
	tell  func([]outcome) string
}

func tables() []table {
	with := func(steps []step, t traffic, candidate behaviour) scenario {
		return scenario{steps: steps, traffic: t, candidate: candidate}
	}
	single := traffic{Burst: 1}
	simpler := func(check simple, burst int) scenario {
		return scenario{steps: short, simple: check, traffic: traffic{Burst: burst}, candidate: healthy}
	}
	limited := with(short, traffic{Burst: 10}, healthy)
	limited.checks = []string{`error_rate("canary") <= 0.01`, `latency_ms("canary", 0.95) <= 300`}
	late := with(long, single, behaviour{Errors: 0.05, Slower: 1})
	late.after = 40 * time.Minute
	return []table{
		{title: "a healthy candidate, rolled back", tell: falseAlarms, rows: []row{
			{"errors one by one", with(short, single, healthy)},
			{"errors in threes", with(short, traffic{Burst: 3}, healthy)},
			{"errors in tens", with(short, traffic{Burst: 10}, healthy)},
			{"errors one by one, slow answers in tens", with(short, traffic{Burst: 1, Stalls: 10}, healthy)},
			{"errors in tens, checked against limits", limited},
			{"errors in tens, longer plan", with(long, traffic{Burst: 10}, healthy)},
		}},
		{title: "a healthy candidate, rolled back by simpler checks", tell: falseAlarms, rows: []row{
			{"more than 1% fail", simpler(limit, 1)},
			{"a z-test at 99%", simpler(zTest, 1)},
			{"a z-test at 99%, errors in threes", simpler(zTest, 3)},
		}},
		{title: "a candidate that is worse, rolled back", tell: detections, rows: []row{
			{"every request fails", with(short, single, behaviour{Errors: 1, Slower: 1})},
			{"5% fail", with(short, single, behaviour{Errors: 0.05, Slower: 1})},
			{"5% fail, in threes", with(short, traffic{Burst: 3}, behaviour{Errors: 0.05, Slower: 1})},
			{"1% fail", with(short, single, behaviour{Errors: 0.01, Slower: 1})},
			{"30% slower", with(short, single, behaviour{Errors: 0.005, Slower: 1.3})},
			{"5% of answers take 10 times as long", with(short, single, behaviour{Errors: 0.005, Slower: 1, Slow: 0.05})},
			{"5% fail from 40 minutes on, longer plan", late},
		}},
	}
}
