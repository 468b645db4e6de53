// Package fleet lets gateways that share a store judge a candidate as one.
//
// Every gateway reports what it counted of a rollout since its present stay in a step began: a [Report]. A [Council] is
// what one of them makes of the reports of all: it adds what is new to its own trial, says which of the gateways judge, and
// tells where one of them differs. It is pure: reports are given to it, with the time, and it asks nobody.
//
// # Counts
//
// Counts only grow, and belong to one process: so a report may get lost, come late, or come twice. What a gateway said
// when it was first met is in the totals only, and what it says after it was not heard for long counts as of then, and not
// as what happened in the last minute. A gateway that is gone leaves what it counted, and one that begins again is another one.
//
// Only those are added that are about the same stay in the same step, and divide traffic among the same variants by the same
// weights, whatever checks they have.
//
// # Judges
//
// The first five gateways, by the random names of their processes, judge; for the others a look at the first few reports is
// enough. Each judges the sum by its own plan and checks, and any of them rolls back. They look at about the same requests at
// about the same time, and take a part of the level of the tests each, so that together they are wrong as seldom as one.
package fleet
