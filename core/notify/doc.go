// Package notify tells webhooks what happens to rollouts, and asks the URL that confirms a step.
//
// # What a webhook gets
//
// Every event is one POST of a JSON document:
//
//	{
//	  "id": 7,
//	  "event": "rolled_back",
//	  "rollout": "checkout",
//	  "revision": "v2.3.1",
//	  "epoch": 1,
//	  "state": "rolled_back",
//	  "step": 2,
//	  "cause": "check",
//	  "reason": "error_rate(\"canary\") <= 0.01: 12 of 240 requests failed",
//	  "figures": {"canary_failures": 12, "canary_requests": 240},
//	  "time": "2026-03-01T12:00:00Z",
//	  "member": "edge-1"
//	}
//
// id counts the events of the rollout; cause, reason, figures and member are there only if there are any. With it come
//
//	X-Rollout-Event      the event
//	X-Rollout-Delivery   an id of this event for this webhook, the same with every attempt: who has seen it ignores it
//	X-Rollout-Timestamp  when this attempt was made, in Unix seconds
//	X-Rollout-Signature  with a secret: sha256= and the HMAC-SHA256, in hexadecimal, of timestamp, "." and body
//
// To verify it, compute the same over the header X-Rollout-Timestamp, a dot, and the body as it came, byte for byte;
// compare in constant time; and refuse a timestamp more than five minutes from now: a recorded message is then of no use
// to anybody.
//
// A Slack webhook gets a message for people instead, as Slack documents it for incoming webhooks.
//
// # Delivery
//
// Any 2xx is a delivery. After a network error, a wait of more than five seconds, and the statuses 408, 429 and 5xx the
// event is sent again: after a second, then twice as long each time, a minute at most, less up to half of it by chance;
// and not before a Retry-After says. Any other answer, a redirect among them, will be the same the next time, so the
// event is given up, as is one that is an hour old. A webhook gets its events in order, and waits for no other. A
// thousand may wait for each; then the oldest gives way, because the newest says how the rollout stands.
package notify
