package main

import "github.com/grayling-gateway/grayling/simulation"

type (
	behaviour = simulation.Behaviour
	traffic   = simulation.Traffic
)

// healthy is how the baseline behaves, and a candidate that is as good.
var healthy = behaviour{Errors: 0.005, Slower: 1}
