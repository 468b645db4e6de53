// Package interpreted holds everything that package layers reports, each beside a form that Yaegi runs as Go does.
package interpreted

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

type list[T any] struct{ items []T } // want `a generic type`

func first[T any](items []T) T { return items[0] } // want `a generic function`

func generics(words []string, counts map[string]int) {
	slices.Sort(words)      // want `slices.Sort is generic`
	_ = slices.Max(words)   // want `slices.Max is generic`
	_ = maps.Clone(counts)  // want `maps.Clone is generic`
	_ = cmp.Or("", "b")     // want `cmp.Or is generic`
	_ = sync.OnceValue(one) // want `sync.OnceValue is generic`

	sort.Strings(words)
	_ = slices.Contains(words, "a")
	_ = cmp.Compare(1, 2)
}

var shared atomic.Pointer[strings.Builder] // want `atomic.Pointer is generic`
var value atomic.Value
var count atomic.Int64

func one() int { return 1 }

func builtins(counts map[string]int) {
	_ = min(1, 2) // want `builtin min`
	_ = max(1, 2) // want `builtin max`
	clear(counts) // want `builtin clear`

	delete(counts, "a")
	max := func(a, b int) int { return a }
	_ = max(1, 2)
}

func ranges(words []string) {
	for i := range 3 { // want `range over an integer`
		_ = i
	}
	for range len(words) { // want `range over an integer`
	}
	for word := range func(yield func(string) bool) { yield("a") } { // want `range over a function`
		_ = word
	}
	channels := []chan int{make(chan int, 1)}
	for _, channel := range channels { // want `range over channels`
		_ = channel
	}
	for i := range channels {
		_ = channels[i]
	}
	for i := 0; i < 3; i++ {
		_ = i
	}
	for i, r := range "text" {
		_, _ = i, r
	}
}

func loopVariables(words []string) (kept []func() string, addresses []*string) {
	for _, word := range words {
		kept = append(kept, func() string { return word }) // want `loop variable word in a function literal`
		addresses = append(addresses, &word)               // want `address of loop variable word`
		go func() { _ = word }()                           // want `loop variable word in a function literal`
		defer func() { _ = word }()                        // want `loop variable word in a function literal` `every defer of a loop`
	}
	for i := 0; i < 3; i++ {
		f := func() int { return i } // want `loop variable i in a function literal`
		_ = f
	}
	for i, word := range words {
		word := word
		kept = append(kept, func() string { return word })
		addresses = append(addresses, &word)
		addresses = append(addresses, &words[i])
		func() { _ = i }()
		_ = strings.Map(func(r rune) rune { return r + rune(i) }, word)
	}
	return kept, addresses
}

type problem struct{ text string }

func (p *problem) Error() string { return p.text } // want `an own error type`

var errMissing = errors.New("missing")

type level int

func (l *level) UnmarshalText(_ []byte) error { return nil }      // want `UnmarshalText of an own type is not called`
func (l level) MarshalJSON() ([]byte, error)  { return nil, nil } // want `MarshalJSON of an own type is not called`
func (l level) String() string                { return "high" }

type node interface{ line() int }
type leaf struct{ int }

func (l leaf) line() int { return l.int }

func typeSwitches(anything any, err error, n node) {
	switch anything.(type) {
	case string:
	case leaf: // want `a case for own type leaf`
	case *leaf: // want `a case for own type leaf`
	case node:
	}
	switch e := err.(type) {
	case *problem: // want `a case for own type problem`
		_ = e
	}
	switch n := n.(type) {
	case leaf:
		_ = n
	}
	_, _ = anything.(leaf)
}

func conditions(failed bool, status int) {
	switch {
	case failed, status >= 500: // want `several conditions in a case`
	case failed || status == 0:
	}
	switch status {
	case 200, 204:
	}
}

func assignments() (n int, err error) {
	n, err = 1, nil // want `nil in an assignment of several values`
	n, err = 1, errMissing
	n, err = one(), errMissing // want `a call among several values`
	err = nil
	return n, nil
}

func deferredStruct() (result leaf) {
	defer func() {
		if recover() != nil {
			result = leaf{1} // want `result result set by a deferred function`
		}
	}()
	result = leaf{2}
	return result
}

func deferredPair() (n int, err error) {
	defer func() {
		if recover() != nil {
			n, err = 1, errMissing // want `result n set` `result err set`
		}
	}()
	return 0, nil
}

func deferredField() (result leaf, n int, err error) {
	defer func() {
		if recover() != nil {
			result.int = 1
			n = 2
			err = errMissing
		}
	}()
	return result, n, nil
}

func selects(words chan string, done chan struct{}) {
	select { // want `goroutines that are at the same select get what others wait for`
	case <-words:
	case <-done:
	}
	reflect.Select([]reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(words)}})
again:
	for {
		switch {
		default:
			break again
		}
	}
}
