// Package analysis says whether a candidate is good: it counts how variants do, reads the checks of a plan, and weighs what
// was counted by statistics that stay right however often they look.
package analysis
