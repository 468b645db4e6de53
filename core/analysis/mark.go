package analysis

// Mark is a moment of a trial, from which on something is to be counted.
type Mark struct{ arms []*snapshot }

// Mark returns the present moment. Any goroutine may ask.
func (t *Trial) Mark() *Mark {
	m := &Mark{}
	for _, a := range t.arms {
		m.arms = append(m.arms, a.snapshot())
	}
	return m
}

// Between returns what was counted of each variant from one mark of a trial to a later one. A mark that is nil is the
// trial's beginning.
func Between(from, to *Mark) []Tally {
	tallies := make([]Tally, 0, len(to.arms))
	for i := range to.arms {
		before := &snapshot{}
		if from != nil {
			before = from.arms[i]
		}
		tallies = append(tallies, sample{from: before, to: to.arms[i]}.tally())
	}
	return tallies
}
