package await_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// letter is of a type that the tests declare: what is interpreted has other types than what is compiled.
type letter struct {
	to   int
	text string
}

func (l letter) isFor(who int) bool { return l.to == who && l.text == "hello" }

// TestOwnChannels: goroutines that wait at the same place get what was sent to them, and each gets all of it.
func TestOwnChannels(t *testing.T) {
	const letters = 1000
	var readers sync.WaitGroup
	for who := 0; who < 8; who++ {
		who := who
		box := make(chan letter)
		readers.Add(1)
		go func() {
			for i := 0; i < letters; i++ {
				box <- letter{to: who, text: "hello"}
			}
		}()
		go func() {
			defer readers.Done()
			for i := 0; i < letters; i++ {
				late := time.NewTimer(time.Minute)
				at, got := await.First(context.Background().Done(), late.C, box)
				late.Stop()
				if at != 2 {
					t.Errorf("%d waits in vain for letter %d", who, i)
					return
				}
				if l := got.(letter); !l.isFor(who) {
					t.Errorf("%d got what is for %d", who, l.to)
					return
				}
			}
		}()
	}
	readers.Wait()
}

func TestFirst(t *testing.T) {
	closed := make(chan int)
	close(closed)
	var none chan string
	full := make(chan string, 1)
	full <- "here"
	if at, got := await.First(none, full); at != 1 || got.(string) != "here" {
		t.Errorf("%v from channel %d", got, at)
	}
	if at, got := await.First(none, full, closed); at != 2 || got != nil {
		t.Errorf("%v from channel %d, and only the last is closed", got, at)
	}
}

func TestSleep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if !await.Sleep(ctx, time.Millisecond) {
		t.Error("it ended with a context that did not end")
	}
	time.AfterFunc(time.Millisecond, func() { cancel() })
	if await.Sleep(ctx, time.Hour) {
		t.Error("it slept for an hour")
	}
}

func TestAcquire(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	turns := make(chan bool, 1)
	if !await.Acquire(ctx, turns) {
		t.Error("nobody has the turn, and it is not to be had")
	}
	time.AfterFunc(time.Millisecond, func() { cancel() })
	if await.Acquire(ctx, turns) {
		t.Error("two have the turn")
	}
}

func TestWake(t *testing.T) {
	sleeper := make(chan bool, 1)
	await.Wake(sleeper)
	await.Wake(sleeper)
	if len(sleeper) != 1 {
		t.Errorf("it is woken %d times", len(sleeper))
	}
	await.Wake(nil)
}

func TestClosed(t *testing.T) {
	c := make(chan struct{})
	if await.Closed(c) {
		t.Error("it is open")
	}
	close(c)
	if !await.Closed(c) {
		t.Error("it is closed")
	}
}
