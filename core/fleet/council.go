package fleet

import (
	"sort"
	"time"

	"github.com/grayling-gateway/grayling/core/analysis"
	"github.com/grayling-gateway/grayling/core/rollout"
	"github.com/grayling-gateway/grayling/core/store"
)

const (
	// MostJudges is how many gateways judge.
	MostJudges = 5

	// FirstReports is how many reports those look at that do not judge.
	FirstReports = 16

	// mostReports is how many reports all gateways of all rollouts write in a second at most, because the store keeps them, and
	// the judges of a rollout read all of it with every one of their own: there, fewRollouts are no better than that many. But
	// where there is something to judge each is written once in slowest: what is told of twice that time has to be in a window
	// that nobody has set.
	mostReports = manyMembers * fewRollouts / 5
	fewRollouts = 25
	slowest     = rollout.DefaultWindow / 2

	// manyMembers is how many gateways with fewRollouts may report every five seconds.
	manyMembers = 250

	// seldom is from one look to the next for who does not judge: among few gateways, and among more than it looks at. Who is
	// not among the first, and would judge last of all, waits a minute longer from look to look, up to mostRarely minutes; it
	// begins with one for each manyMembers there are.
	seldom, rarely = 15 * time.Second, time.Minute
	mostRarely     = 5

	// patience is for how long nobody else must have been about a release before it is taken to be nobody's, and for how long
	// two have to have one name before that is told: gateways that begin again are gone for a moment, or there twice.
	patience = 15 * time.Second
)

// Council is what one gateway makes of the reports of all. It belongs to one goroutine.
type Council struct {
	id      string
	mine    Report
	record  Release
	members []*Member // in the order of their ids, this one too
	met     map[string]*Member
	all     bool // whether the reports of all were seen last, and not only the first
	behind  int  // how many looks in a row saw enough gateways that judge before this one

	unopposed time.Duration // since when nobody else is about the record's release
	opposed   bool
	twin      bool // whether another process has this one's name
	twinSince time.Duration

	trial *analysis.Trial // to which counts were added
	added map[string]*sighting
}

// Release is what the record of a rollout is about.
type Release struct{ Revision, Candidate string }

// Member is a gateway of the fleet.
type Member struct {
	// ID is the name of its process.
	ID string
	*Report

	// Heard is when it reported last, on the clock of this gateway.
	Heard time.Duration

	// Judges tells that it judges the sum of all.
	Judges bool

	// Differs says in what it differs from this gateway, so that its counts are not added, or its judgement may be another.
	// Empty: in nothing.
	Differs string

	summed bool
}

// sighting is what was added of a gateway last.
type sighting struct {
	counts []analysis.Counts
	at     time.Duration // since the trial began
	number int64
}

// NewCouncil returns the council of a process that is called id in the store.
func NewCouncil(id string) *Council {
	return &Council{id: id, met: map[string]*Member{}, opposed: true}
}

// Limit returns how many reports this gateway has to look at: 0, all of them. All are for judges, and for those few whom the
// first do not tell enough: who else judges, or whether anybody is about the record's release.
func (c *Council) Limit() int {
	me := c.met[c.id]
	if me == nil {
		return FirstReports // it begins, and maybe with a thousand others
	}
	if me.Judges || !c.enough(me) {
		return 0
	}
	return FirstReports
}

// enough reports whether the first reports say who judges, or to whom it does not matter that somebody is about the release.
func (c *Council) enough(me *Member) bool {
	if !me.eligible(c.record) {
		return c.spoken()
	}
	eligible := 0
	for i := 0; i < len(c.members) && i < FirstReports; i++ {
		if c.members[i].eligible(c.record) {
			eligible++
		}
	}
	return eligible >= MostJudges
}

// Pace returns the time from one report to the next where each gateway reports so many rollouts, of what it is for a gateway
// alone: a multiple of that, but at most slowest where that is twice as long as alone, or longer.
func (c *Council) Pace(alone time.Duration, rollouts int) time.Duration {
	if rollouts < fewRollouts {
		rollouts = fewRollouts
	}
	least := slowest
	if n := c.largest(); n < mostReports*int(slowest/time.Second)/rollouts {
		least = time.Duration(n*rollouts) * time.Second / mostReports
	}
	pace := alone
	for pace < least {
		pace += alone
	}
	if pace > slowest && alone <= slowest/2 {
		pace = slowest
	}
	return pace
}

// largest returns how many gateways there are, by whoever knows of most.
func (c *Council) largest() int {
	n := len(c.members)
	for _, m := range c.members {
		if m.Fleet > n {
			n = m.Fleet
		}
	}
	return n
}

// Size returns how many gateways there are; 0 if not all were looked at.
func (c *Council) Size() int {
	if !c.all {
		return 0
	}
	return len(c.members)
}

// Pause returns how long this gateway may wait from one look at the others to the next. 0: it looks with every report.
func (c *Council) Pause() time.Duration {
	switch {
	case c.judges(c.id):
		return 0
	case !c.Few() && c.behind > 0:
		return time.Duration(c.patient()) * rarely
	case !c.Few():
		return rarely
	case c.spoken():
		return seldom
	}
	return 0 // whoever is about the record's release is about to report, or gone
}

// patient returns for how many minutes a gateway that would judge last of all waits.
func (c *Council) patient() int {
	minutes := 1 + (c.largest()-1)/manyMembers
	if c.behind > minutes {
		minutes = c.behind
	}
	if minutes > mostRarely {
		return mostRarely
	}
	return minutes
}

// Few reports whether there are no more gateways than each of them looks at, as far as this one knows.
func (c *Council) Few() bool { return len(c.members) <= FirstReports && (c.all || len(c.members) <= 1) }

// Hear takes in the reports that are in the store now, at a time: the first of them, or all. mine is what this gateway said
// itself, and record what the rollout is about. Reports that cannot be read are as good as none.
func (c *Council) Hear(reports []store.Report, all bool, mine Report, record Release, now time.Duration) {
	if record != c.record {
		c.opposed = true // by whoever made it another
	}
	c.mine = mine
	c.record = record
	c.all = all
	own := mine // its own memory
	me := &Member{ID: c.id, Report: &own, Heard: now}
	met := map[string]*Member{c.id: me}
	c.members = []*Member{me}
	for i := range reports {
		if m := c.meet(&reports[i], now); m != nil {
			met[m.ID] = m
			c.members = append(c.members, m)
		}
	}
	c.met = met
	sort.Slice(c.members, func(a, b int) bool { return c.members[a].ID < c.members[b].ID })
	twin := false
	judges := 0
	for _, m := range c.members {
		if m.eligible(record) && judges < MostJudges {
			m.Judges = true
			judges++
		}
		if m.ID == c.id {
			continue
		}
		m.compare(me, record)
		twin = twin || m.Name == own.Name && own.Name != ""
	}
	c.behind++
	if last := c.members[len(c.members)-1]; all || last.ID != c.id || len(reports) < FirstReports || !me.eligible(record) || !c.enough(me) {
		c.behind = 0
	}
	c.settle(twin, now)
}

// meet returns the gateway of a report, unless it is this one, or the report cannot be read.
func (c *Council) meet(report *store.Report, now time.Duration) *Member {
	if report.Member == c.id {
		return nil
	}
	r, err := Decode(report.Content)
	if err != nil {
		return nil
	}
	before := c.met[report.Member]
	if before == nil {
		return &Member{ID: report.Member, Report: r, Heard: now}
	}
	if r.Number <= before.Number { // it has said nothing since, or this is older
		return &Member{ID: report.Member, Report: before.Report, Heard: before.Heard}
	}
	return &Member{ID: report.Member, Report: r, Heard: now}
}

// compare says in what a gateway differs from this one.
func (m *Member) compare(me *Member, record Release) {
	same := m.Position() == me.Position() && m.Candidate == me.Candidate && !m.Outdated && !me.Outdated
	m.summed = same && m.Division == me.Division && m.Division != ""
	switch {
	case m.Outdated && me.Outdated && m.Revision == me.Revision: // neither does anything
	case m.Outdated:
		m.Differs = "its revision was superseded"
	case !m.releases(record.Revision, record.Candidate):
		m.Differs = "it has another revision or candidate"
	case me.Outdated:
		m.Differs = "it has the revision that superseded this one's"
	case m.Plan == "":
		m.Differs = "it has no plan"
	case same && m.Division != "" && me.Division != "" && !m.summed:
		m.Differs = "its variants have other weights: what it counts is not added"
	case !me.Outdated && m.Plan != me.Plan:
		m.Differs = "it has another plan, or other checks"
	}
}

// settle notes for how long something has been so.
func (c *Council) settle(twin bool, now time.Duration) {
	opposed := c.spoken() || !c.all
	if opposed || c.opposed {
		c.unopposed = now
	}
	c.opposed = opposed
	if twin && !c.twin {
		c.twinSince = now
	}
	c.twin = twin
}

// eligible reports whether a gateway may judge.
func (m *Member) eligible(record Release) bool {
	return m.Plan != "" && m.releases(record.Revision, record.Candidate)
}

// spoken reports whether another gateway is about the record's release.
func (c *Council) spoken() bool {
	for _, m := range c.members {
		if m.ID != c.id && m.releases(c.record.Revision, c.record.Candidate) {
			return true
		}
	}
	return false
}

// judges reports whether a gateway judges.
func (c *Council) judges(id string) bool {
	m := c.met[id]
	return m != nil && m.Judges
}

// Judges returns how many gateways judge, and whether this one does.
func (c *Council) Judges() (n int, me bool) {
	for _, m := range c.members {
		if m.Judges {
			n++
		}
	}
	me = c.judges(c.id)
	return n, me
}

// Unopposed reports whether no other gateway has been about a release, which is the record's, for some time.
func (c *Council) Unopposed(record Release, now time.Duration) bool {
	return !c.opposed && record == c.record && now-c.unopposed >= patience
}

// Twin reports whether another process has had this one's name for some time.
func (c *Council) Twin(now time.Duration) bool {
	return c.twin && now-c.twinSince >= 2*patience
}

// Members returns the gateways, in the order of their ids. They do not change.
func (c *Council) Members() []*Member { return c.members }

// Others returns the names of gateways that are about a release, a few of them, if reports were heard since the record is about
// that: in those from before, gateways are about the release before.
func (c *Council) Others(record Release) []string {
	const most = 5
	var names []string
	for _, m := range c.members {
		if m.ID != c.id && record == c.record && m.releases(record.Revision, record.Candidate) && len(names) < most {
			names = append(names, m.Name)
		}
	}
	return names
}

// AddTo adds to a trial what the others counted since they were heard last. at is how long the trial has lasted. It must be
// that of the position and division of which this gateway reported.
func (c *Council) AddTo(t *analysis.Trial, at time.Duration) {
	if t != c.trial {
		c.trial = t
		c.added = map[string]*sighting{}
	}
	var more []analysis.Added
	for _, m := range c.members {
		if m.ID != c.id && m.summed && len(m.Counts) == len(c.mine.Counts) {
			if news := c.newsOf(m, at); news.Counts != nil {
				more = append(more, news)
			}
		}
	}
	t.Add(more)
}

// newsOf returns what a gateway counted since it was heard last, without counts if that is nothing new.
func (c *Council) newsOf(m *Member, at time.Duration) analysis.Added {
	before := c.added[m.ID]
	if before == nil {
		before = &sighting{counts: make([]analysis.Counts, len(m.Counts)), number: -1}
	}
	if m.Number <= before.number {
		return analysis.Added{}
	}
	news := analysis.Added{From: before.at}
	for i := range m.Counts {
		since, possible := m.Counts[i].Since(before.counts[i])
		if !possible {
			m.Differs = "it counts what cannot be: that is not added"
			return analysis.Added{}
		}
		news.Counts = append(news.Counts, since)
	}
	c.added[m.ID] = &sighting{counts: m.Counts, at: at, number: m.Number}
	return news
}
