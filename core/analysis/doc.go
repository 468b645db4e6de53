// Package analysis says whether a candidate is good: it counts how variants do, reads the checks of a plan, and weighs what
// was counted by tests that stay right however often they look.
//
//	Arm      what requests go through: one addition each
//	Trial    the arms of all variants during one stay in a step, and snapshots of them every ten seconds
//	Checks   what has to be true of the candidate, evaluated again and again
//
// # Checks
//
// A check is a condition in Go expression syntax. It passes if it is true, fails if it is false, and holds as long as there
// is not enough to know. Of several checks any that fails is a fail, else any that holds is a hold; what && joins are several
// checks.
//
//	!worse("canary")
//	error_rate("canary") <= 0.01 && latency_ms("canary", 0.99) < 500
//	latency_ms("canary", 0.5) <= 1.2 * latency_ms("stable", 0.5)
//	prometheus("sum(rate(orders_total{version=\"canary\"}[5m]))") > 10
//
// What can be asked, of a variant by its name:
//
//	error_rate("canary")          the share of requests that failed, from 0 to 1: 5xx, and errors of the proxy
//	success_rate("canary")        the share that did not
//	latency_ms("canary", 0.99)    the latency that a share of the answers kept within, in milliseconds, give or take 3%
//	requests("canary")            how many requests there were since the step began
//	worse("canary")               whether it fails more often than the baseline, or is slower
//	mirror_mismatch("canary")     the share of copied requests that it answered differently, since the attempt to release it began
//	conversion("canary", "goal")  the share of clients that reached a goal
//	prometheus("promql")          the answer of a Prometheus server
//
// Numbers are combined with + - * /, compared with == != < <= > >=, and conditions are combined with && || ! and
// parentheses; true and false are conditions. All of them know unknown values: a number made of an unknown one is unknown, so
// is a quotient by zero, and so is a comparison of either; && and || are known where what is unknown could not change them.
//
// A rate, a mismatch, a conversion or a latency compared by < <= > >= with a constant is judged by a test: the limit is kept if what was measured
// keeps it, and is exceeded only if that can hardly be chance. In between it is unknown. All other comparisons are of what was
// measured, as it is.
//
// A number of requests compared with a constant is unknown as long as further requests could change the answer:
// requests("canary") >= 1000 waits for them, and never fails.
//
// # Windows
//
// An evaluation looks back for the plan's window, in slots of ten seconds. While a variant whose rates or latencies a check
// wants has had fewer than min_requests, or a quantile q fewer than 5/(1-q) answers, it looks back further, to the beginning
// of the step at most; what even then had too few is unknown. A variant without traffic holds.
//
// # Alone
//
// Where the candidate has all of the traffic there is nothing to compare with: checks that call worse, or name the baseline,
// are skipped. If that leaves none, the evaluation passes: to watch a candidate then, add a check of its own, such
// as a limit of its error rate.
package analysis
