package store

import "time"

// RenewEvery makes watches last less long.
func (e *Etcd) RenewEvery(d time.Duration) { e.renew = d }
