// Package control lets people and programs see and command the rollouts of a gateway over HTTP:
//
//	GET  /rollouts                   all rollouts
//	GET  /rollouts/{name}            one
//	GET  /rollouts/{name}/events     what happened to it, and what happens
//	GET  /rollouts/{name}/mirror     what copies of its requests were answered
//	POST /rollouts/{name}/{command}  promote, step, pause, resume, abort, restart, weight
//	POST /rollouts/{name}/explain    what would become of a request, and why
//
// Whoever reaches [Handler] may do everything: [Guard] lets only those through who know a token, and a gateway that has an
// access control of its own puts that in front. What docs/control.md says of fields, headers and errors is the contract.
package control
