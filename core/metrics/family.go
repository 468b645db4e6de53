package metrics

// Kind is how the values of a metric behave.
type Kind string

const (
	Counter   Kind = "counter" // only grows; its name ends in _total
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is a metric: all series of one name.
type Family struct {
	Name   string   // without the prefix, such as requests_total
	Kind   Kind     //
	Help   string   // what it is, in one line
	Labels []string // their names, in the order in which series have their values
	Needs  string   // what has to be configured for it to have series, in words; empty: nothing
}

// Series is one value of a metric, or the distribution of a histogram.
type Series struct {
	Of           *Family
	Labels       []string // values, as many as the family has labels
	Value        float64
	Distribution *Distribution // of a histogram; else nil
}

// Distribution says how observations are distributed over buckets.
type Distribution struct {
	// Limits are the largest value that each bucket takes, in rising order, without the last bucket, which takes all.
	Limits []float64

	// Counts are how many observations each bucket has, the last one included; not added up.
	Counts []int64

	Sum float64 // of all observations
}

// Count returns how many observations there were.
func (d *Distribution) Count() int64 {
	n := int64(0)
	for _, c := range d.Counts {
		n += c
	}
	return n
}
