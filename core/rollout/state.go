package rollout

// Cause is why a rollout was rolled back or paused.
type Cause string
