// Package rollout moves a candidate forward, step by step, while its checks pass, and takes it back when they fail.
//
// # The machine
//
// A [Machine] goes through the states of a plan. It is pure: what time it is and what was seen come with [Machine.Tick],
// what people want with [Machine.Command], what they configured with [Machine.Configure], and each returns the events
// that followed. It starts nothing, reads no clock and keeps no file; [Machine.Record] is what to keep of it.
//
//	       started                       promoted
//	idle ----------> progressing  -------------------> promoted
//	                  |  ^    |                            |
//	           paused |  |    | rolled_back                | rolled_back
//	                  |  |    | (check, operator, ended)   | (operator, ended)
//	                  v  |    v                            |
//	                 paused  ------> rolled_back <---------'
//	                    rolled_back
//
// Beside these, progressing and paused lead to themselves by step_advanced, paused to progressing and promoted by a
// command that promotes, every state but idle to progressing by restarted, and every state by started, which only
// another revision or candidate brings about. Rolled back is final but for these two. A configuration without a plan is
// idle, whatever the record says, and finds it as it was when there is a plan again.
//
// # Steps
//
// A step ends when its time is over, the last evaluation of this stay in it passed, the hours of the plan allow it, its
// confirm was answered 2xx, and nothing outside, such as a store that is away, is an obstacle. A manual step waits for
// the command to promote, and that ends any other too, whatever it waits for. Behind the last step the candidate is
// promoted; on entry of a step of 100% that has neither time nor gate, at once. Where nobody but an edited plan led to
// such a step, or the rollout is paused in it, it is gated by an evaluation like any other.
//
// A step's time runs while the rollout progresses, on a monotonic clock: not while it is paused, and not while nobody
// serves. Outside the hours of the plan time runs, and nothing ends or begins but by command; rollbacks happen at any
// time.
//
// A step is held from the end of its time until it ends, and stalled when that has lasted for the plan's deadline: hours
// outside those of the plan and pauses do not count, and a manual step is neither.
//
// # Evaluations
//
// What was seen belongs to a [Position], a stay in a step of an epoch, and counts for no other. Failures in a row roll
// back, or pause, while progressing or paused; a pass begins the count anew, and a hold says nothing. Once promoted an
// evaluation is for people to see: to watch the candidate with all of the traffic before that is final, give the last
// step a time.
//
// # The controller
//
// A [Controller] is a machine that goroutines share and whose record a store keeps, so that it outlives reloads and
// processes. What a host adds is the clock, a ticker, evaluations, answers of confirms, and what it does with events:
//
// Gateways that share a store follow one record. What one of them does is learned by the others, within the epoch of which
// what is rolled back counts for more than what is paused, and that for more than any progress. A gateway with a revision
// that another one superseded is outdated: it serves what its own came to, and leaves the record alone.
//
//	Configure    with every configuration
//	Tick         every second in which something is due, and with every observation
//	Watch        in the background, where others may write to the store
//	View         what requests go by, without waiting for anybody
package rollout
