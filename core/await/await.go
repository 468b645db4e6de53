// Package await has what select statements do as functions. Who waits in core calls them, because Yaegi 0.16 keeps the cases of
// a select statement in one place for all goroutines that are at it (_select in interp/run.go): sometimes one of them gets what
// was sent to another, which waits for ever. reflect.Select is given cases of its own.
package await

import (
	"context"
	"reflect"
	"time"
)

// First waits until one of the channels has a value or is closed, and returns which of them, and the value: nil of one that is
// closed. If several have, chance decides. A channel that is nil never has.
func First(channels ...any) (at int, value any) {
	cases := make([]reflect.SelectCase, len(channels))
	for i := range channels {
		cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(channels[i])}
	}
	chosen, received, open := reflect.Select(cases)
	if !open {
		return chosen, nil
	}
	return chosen, received.Interface()
}

// Sleep waits for a time, unless the context ends, and reports whether it did not.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	at, _ := First(ctx.Done(), timer.C)
	return at == 1
}

// Acquire waits until the channel, which has room for as many turns as may be taken at a time, takes one, unless the context
// ends, and reports whether it did. Who has one gives it back by receiving.
func Acquire(ctx context.Context, turns chan bool) bool {
	chosen, _, _ := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		{Dir: reflect.SelectSend, Chan: reflect.ValueOf(turns), Send: reflect.ValueOf(true)},
	})
	return chosen == 1
}

// Wake sends to a channel that has room for one, unless something is in it: whoever receives will wake anyway. It does nothing
// where the channel is nil.
func Wake(sleeper chan bool) {
	if sleeper != nil {
		reflect.ValueOf(sleeper).TrySend(reflect.ValueOf(true))
	}
}

// Closed reports whether a channel is closed, to which nobody sends.
func Closed(c chan struct{}) bool {
	received, open := reflect.ValueOf(c).TryRecv()
	return received.IsValid() && !open
}
