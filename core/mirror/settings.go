package mirror

import (
	"context"
	"net/http"
	"time"

	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
)

// Settings are those of one mirror.
type Settings struct {
	// Name is the variant that is sent copies, or what stands for a target outside the rollout. It is the mirror's own
	// among those of a rollout, and part of the salt by which its requests are chosen. It is shown: no secret in it.
	Name string

	// Share is how much of the traffic is copied. 0: none.
	Share balance.Weight

	// When is what a request has to fulfil besides. Nil: nothing.
	When *expr.Condition

	// Methods are those of which copies are made. Empty: [DefaultMethods].
	Methods []string

	// Timeout bounds the sending of a copy, from the connection to the end of the answer. Above 0.
	Timeout time.Duration

	// MaxBody is how long a body may be, in bytes; a request with a longer one is not copied. 0: none with a body is.
	MaxBody int

	// Concurrency is how many requests may have copies under way, and again how many may have bodies on their way in. Those
	// beyond are not copied. Above 0.
	Concurrency int

	// Drop names headers that copies do not carry, in whatever spelling.
	Drop []string

	// Outside tells that the target is no variant of the rollout. Then copies carry no credentials either: neither
	// Authorization nor Cookie.
	Outside bool

	// Send sends a copy to the target.
	Send Sender

	// Compare says what the answers have to agree in. Nil: nothing is compared.
	Compare *Comparison

	// Control sends one more copy to the baseline, to measure how much its own answers differ. Nil: that is not measured,
	// and every difference counts. Without Compare it is not used.
	Control Sender
}

// Sender sends one request and returns the answer, as [http.RoundTripper] does, without following redirects. It has to
// come back when the request's context ends, and is called in a goroutine of its own. The request is its own to change.
type Sender func(*http.Request) (*http.Response, error)

// What holds for settings that a user leaves out.
const (
	DefaultTimeout     = 5 * time.Second
	DefaultMaxBody     = 64 << 10
	DefaultConcurrency = 64
)

// DefaultMethods are those of which copies do no harm: what they ask for changes nothing.
var DefaultMethods = []string{http.MethodGet, http.MethodHead}

// Rollout is what all mirrors of a rollout have in common.
type Rollout struct {
	// Name is the rollout's; copies say in the header [Header] that they are its.
	Name string

	// Salt is the rollout's. A mirror's own is made of it.
	Salt string

	// Key identifies clients. Nil: nothing does.
	Key *expr.Key

	// Baseline is the variant whose answers those of the copies are compared with.
	Baseline string

	// Detach returns the context that the copies of a request have the values of. It is called while the request is with its
	// handler, so that what handlers change may be cloned. It has to outlive the request. Nil: copies have no values.
	Detach func(*http.Request) context.Context
}

// Mirrors are all mirrors of one configuration of a rollout. They do not change, and are safe for concurrent use.
type Mirrors struct {
	rollout Rollout
	runner  *Runner
	mirrors []*mirror
	table   *expr.Table     // a condition for each
	methods map[string]bool // of any

	partial       bool        // whether none copies all clients
	unconditional *expr.Table // without conditions
}

// mirror is one that is ready.
type mirror struct {
	settings Settings
	salt     *balance.Salt
	slots    int // of the line
	methods  map[string]bool
	drop     map[string]bool // folded names of headers that copies do not carry
	control  map[string]bool // the same of copies that are sent to the baseline
	ledger   *Ledger
}

// New returns the mirrors of a configuration. They send copies while the runner runs.
func New(r Rollout, settings []Settings, runner *Runner) *Mirrors {
	if r.Key == nil {
		r.Key = expr.RandomKey()
	}
	list := make([]*mirror, 0, len(settings))
	for _, s := range settings {
		one := newMirror(r, s, runner)
		list = append(list, one)
	}
	return among(r, list, runner)
}

// Without returns the mirrors but for the one of that name, or nil if there are no others. What is learned is learned by
// both.
func (m *Mirrors) Without(name string) *Mirrors {
	var rest []*mirror
	for _, one := range m.mirrors {
		if one.settings.Name != name {
			rest = append(rest, one)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return among(m.rollout, rest, m.runner)
}

// among makes mirrors of which requests choose.
func among(r Rollout, list []*mirror, runner *Runner) *Mirrors {
	m := &Mirrors{rollout: r, runner: runner, mirrors: list, methods: map[string]bool{}, partial: true, unconditional: expr.NewTable(nil)}
	var conditions []*expr.Condition
	for _, one := range list {
		for method := range one.methods {
			m.methods[method] = true
		}
		m.partial = m.partial && one.slots < balance.Slots
		condition := one.settings.When
		if condition == nil {
			condition = expr.Always()
		}
		conditions = append(conditions, condition)
	}
	m.table = expr.NewTable(conditions)
	return m
}

func newMirror(r Rollout, s Settings, runner *Runner) *mirror {
	m := &mirror{settings: s, salt: balance.NewSalt(r.Salt + "/mirror/" + s.Name), slots: s.Share.Slots()}
	m.ledger = runner.Ledger(s.Name)
	m.methods = map[string]bool{}
	methods := s.Methods
	if len(methods) == 0 {
		methods = DefaultMethods
	}
	for _, method := range methods {
		m.methods[method] = true
	}
	m.control = dropped(s.Drop)
	m.drop = m.control
	if s.Outside {
		m.drop = dropped(append([]string{"Authorization", "Cookie"}, s.Drop...))
	}
	return m
}
