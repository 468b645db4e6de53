package analysis

import (
	"fmt"
	"go/ast"
	"go/token"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

// Settings are what a plan's checks are read with.
type Settings struct {
	// Variants are the names, the baseline's first, and Candidate is the index of the one that is moved forward.
	Variants  []string
	Candidate int

	// Every is the time from one evaluation to the next, Window how far each looks back, and MinRequests how many requests
	// of a variant it wants to see. 0 stands for the defaults of [rollout.Plan].
	Every, Window time.Duration
	MinRequests   int64

	// Alpha is the probability with which a rollout that is healthy may be rolled back, of all its life. 0 stands for the
	// default, 0.01.
	Alpha float64

	// Steps is how many steps of the plan are judged, which all are but a last one that promotes when it is entered: they
	// share Alpha in equal parts.
	Steps int

	// Prometheus tells whether there is something to ask for prometheus(), Mirrored are the variants that mirror_mismatch()
	// can be asked for, and Goals what conversion() can. Without, these are errors that say what to configure.
	Prometheus      bool
	Mirrored, Goals []string
}

func (s *Settings) defaults() {
	if s.Every <= 0 {
		s.Every = rollout.DefaultEvery
	}
	if s.Window <= 0 {
		s.Window = rollout.DefaultWindow
	}
	if s.MinRequests <= 0 {
		s.MinRequests = rollout.DefaultMinRequests
	}
	if s.Alpha <= 0 {
		s.Alpha = 0.01
	}
}

// candidate returns the index of the candidate, or of the baseline if there is none.
func (s Settings) candidate() int {
	if s.Candidate < 0 || s.Candidate >= len(s.Variants) {
		return 0
	}
	return s.Candidate
}

// name returns the candidate's name, for examples.
func (s Settings) name() string {
	if len(s.Variants) == 0 {
		return "canary"
	}
	return s.Variants[s.candidate()]
}

// Checks are what has to be true of a candidate. They keep nothing between evaluations.
type Checks struct {
	settings Settings
	checks   []*check
	tests    int // that an evaluation makes, and shares its level among
	queries  []string
	watches  bool // outcomes of requests
	mirrored bool // answers to copies are looked at
}

// check is one of them, or a part of one: what && joins are checks of their own, with their own windows.
type check struct {
	text     string
	root     *node
	needs    []need
	baseline bool // says nothing without the baseline
	watches  bool // outcomes of requests
}

// ParseChecks reads the checks of a plan. If something is wrong with any, it returns nil and the problems by text, each with
// its column. No texts at all stand for !worse("canary"), whatever the candidate's name is.
func ParseChecks(texts []string, s Settings) (*Checks, [][]error) {
	s.defaults()
	if len(texts) == 0 && s.candidate() > 0 {
		texts = []string{fmt.Sprintf("!worse(%q)", s.Variants[s.Candidate])}
	}
	c := &Checks{settings: s}
	wrong := false
	problems := make([][]error, len(texts))
	for i, text := range texts {
		parsed, errs := parseCheck(text, s)
		problems[i] = errs
		if len(errs) > 0 {
			wrong = true
			continue
		}
		for _, part := range parsed {
			c.checks = append(c.checks, part)
			c.add(part, part.root)
		}
	}
	if wrong {
		return nil, problems
	}
	return c, problems
}

func parseCheck(text string, s Settings) ([]*check, []error) {
	c := &checker{source: text, settings: s}
	tree, err := c.parse()
	if err != nil {
		return nil, []error{err}
	}
	var checks []*check
	for _, part := range joinedByAnd(tree) {
		checks = append(checks, &check{text: text[part.Pos()-1 : part.End()-1], root: c.condition(part)})
	}
	return checks, c.problems
}

// joinedByAnd returns the parts of x that && joins.
func joinedByAnd(x ast.Expr) []ast.Expr {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return joinedByAnd(x.X)
	case *ast.BinaryExpr:
		if x.Op == token.LAND {
			parts := joinedByAnd(x.X)
			return append(parts, joinedByAnd(x.Y)...)
		}
	}
	return []ast.Expr{x}
}

// add notes what a part of a check looks at.
func (c *Checks) add(to *check, n *node) {
	if n == nil {
		return
	}
	minRequests := c.settings.MinRequests
	switch n.kind {
	case limited:
		c.tests++
	case worse:
		c.tests += 3 // of failures, and of latencies twice
		to.baseline = true
		to.needs = append(to.needs, need{variant: n.variant, requests: minRequests}, need{requests: minRequests})
	case errorRate, successRate:
		to.needs = append(to.needs, need{variant: n.variant, requests: minRequests})
	case latencyMS:
		to.needs = append(to.needs, need{variant: n.variant, requests: answersFor(n.number, minRequests), answered: true})
	case prometheusAnswer:
		c.query(n.name)
	}
	switch n.kind {
	case errorRate, successRate, latencyMS, requestCount, worse:
		c.watches = true
		to.watches = true
	case mirrorMismatch:
		c.mirrored = true
	}
	if n.isOfVariant() && n.variant == 0 {
		to.baseline = true
	}
	c.add(to, n.left)
	c.add(to, n.right)
}

// query adds a query that is not there yet.
func (c *Checks) query(text string) {
	for _, known := range c.queries {
		if known == text {
			return
		}
	}
	c.queries = append(c.queries, text)
}

// Queries returns what the checks ask Prometheus, each once.
func (c *Checks) Queries() []string { return c.queries }

// Watches tells whether the checks look at outcomes of requests. Those that ask others only do not.
func (c *Checks) Watches() bool { return c.watches }

// Mirrors tells whether the checks look at the answers to copies of requests.
func (c *Checks) Mirrors() bool { return c.mirrored }

// Look is what an evaluation knows beside the trial.
type Look struct {
	Elapsed time.Duration // since the trial began
	For     time.Duration // how long the step lasts. 0: it is manual, or has no duration
	Number  int           // of this look during the stay, from 1

	// Judges is how many gateways look, each of which may be wrong: together they are as seldom as one alone. 0: one.
	Judges int

	// Alone: the candidate has all of the traffic, and checks that need the baseline are skipped.
	Alone bool

	// Dark: the candidate has no traffic of its own. Where a check looks at the answers to copies then, those that look at
	// outcomes of requests do not hold for want of them; what they find counts.
	Dark bool

	// Prometheus are answers by query; one that is missing, or no finite number, is unknown.
	Prometheus map[string]float64

	// Mirror returns what comparing a variant's answers to copies has shown. Nil: nothing.
	Mirror func(variant string) Mirrored

	// Conversion returns how many of a variant's clients reached a goal. Nil: nobody knows.
	Conversion func(variant, goal string) (reached, clients int64)
}

// Result is what an evaluation says.
type Result struct {
	Verdict rollout.Verdict

	// Requests is how many requests of the candidate were seen since the trial began.
	Requests int64

	// Reason says in one line which check decided and what it saw, Figures the numbers behind it.
	Reason  string
	Figures map[string]float64
}
