// Package assign remembers which variant a client was assigned: in a cookie that only the gateway can write, in a bounded
// memory, or by asking a router outside.
//
// What is remembered ends at a fixed time, set when the client is assigned, or with its generation: a number that
// changes with whatever releases everybody. A client that asks again is not assigned for longer.
package assign
