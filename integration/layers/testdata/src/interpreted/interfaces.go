package interpreted

import (
	"bytes"
	"errors"
	"io"
)

type shape interface{ area() int }

type square struct{ side int }

func (s *square) area() int { return s.side * s.side }

func newSquare() (*square, error) { return nil, errors.New("none") }

func newBuffer() (*bytes.Buffer, error) { return nil, errors.New("none") }

func wrappedResults(n int) (shape, error) {
	if n > 0 {
		return newSquare() // want `results of a call of which one becomes an interface`
	}
	s, err := newSquare()
	return s, err
}

func reader() (io.Reader, error) { return newBuffer() } // want `results of a call of which one becomes an interface`

func operators(s *square, n int) (int, shape, int) {
	switch n {
	case 0:
		return 1, s, n + 1 // want `an operator behind a result that becomes an interface`
	case 1:
		return n + 1, s, 2 + 3
	}
	next := n + 1
	return n * 2, s, next
}

type frame struct{ content shape }

func kept(squares []*square, byName map[string]*square, made func() *square) {
	var list []shape
	named := map[string]shape{}
	queue := make(chan shape, 9)
	for name, s := range byName {
		named[name] = s                       // want `an interface that is kept follows what it was made of`
		list = append(list, s)                // want `an interface that is kept follows`
		queue <- s                            // want `an interface that is kept follows`
		_ = frame{content: s}                 // want `an interface that is kept follows`
		_ = []any{s}                          // want `an interface that is kept follows`
		named[name] = made()                  // want `an interface that is kept follows`
		list = append(list, &square{side: 1}) // want `an interface that is kept follows`
		named[name] = byName["a"]             // want `an interface that is kept follows`

		s := s
		named[name] = s
		list = append(list, s)
		m := made()
		named[name] = m
	}
	first := squares[0]
	last := squares[1]
	named["first"] = first // want `an interface that is kept follows`
	named["last"] = last
	named["new"] = &square{side: 2}
	first = last
	for _, f := range []frame{{content: first}, {content: &square{side: 3}}} { // want `an interface that is kept follows`
		list = append(list, f.content)
	}
	for _, word := range []string{"a", "b"} {
		_ = []any{word}
	}
	_ = list
}
