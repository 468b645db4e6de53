// Package rollout moves a candidate forward, step by step, and takes it back.
package rollout
