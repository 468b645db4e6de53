// Package core is the engine of Grayling: it decides which version of a service answers a request, and watches how that
// version does. It knows nothing of the gateway it runs in.
//
// A host compiles a [Config] to an [Engine] and asks it for every request:
//
//	request -> Engine.Decide -> Decision -> the host serves -> Outcome -> Engine.Report
//
// The first of these that applies decides: a caller that is followed; a rule, in order; the variant that the client was
// assigned; the router outside; the split by key; the base.
// After the end of the rollout every choice becomes the baseline. What a rollout remembers beyond its configuration is
// in a [Live], which the host keeps over reloads.
//
// The package and all below it use the standard library only and avoid what Yaegi 0.16 cannot interpret, because
// Traefik runs them interpreted, unchanged.
package core
