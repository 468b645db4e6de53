package rollout

import (
	"fmt"
	"strings"
	"time"
)

// Hours are hours of some days of the week, as clocks show them in a time zone.
//
// They go by what the clock on the wall shows: where it is put forward, hours that it leaps over are not there that day,
// and where it is put back, the hours that it shows twice are there twice. Hours that pass midnight belong to the day
// on which they begin.
type Hours struct {
	text string
	days [7]bool // by time.Weekday
	from int     // minutes since midnight
	to   int     // exclusive; below from where midnight lies between
	zone *time.Location
}

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

const day = 24 * 60

// ParseHours reads hours such as
//
//	Mon-Fri 09:00-17:00 Europe/Berlin
//
// in this order, each part optional: days and ranges of days with commas between them (without them: every day), a time
// of day at which the hours begin and one at which they are over (without them: all day), and a name of the IANA time
// zone database (without it: UTC). A range may pass the end of the week, and times midnight: Fri-Mon, 22:00-06:00.
func ParseHours(text string) (*Hours, error) {
	h := &Hours{text: text, to: day, zone: time.UTC}
	parts := strings.Fields(text)
	if len(parts) == 0 {
		return nil, hoursError(text, "says nothing")
	}
	if parsed, named := parseDays(parts[0]); named {
		h.days = parsed
		parts = parts[1:]
	} else {
		h.days = [7]bool{true, true, true, true, true, true, true}
	}
	if len(parts) > 0 && strings.Contains(parts[0], ":") {
		begin, end, _ := strings.Cut(parts[0], "-")
		from, known := parseClock(begin)
		to, knownToo := parseClock(end)
		if !known || !knownToo || from == day || from == to {
			return nil, hoursError(text, fmt.Sprintf("%q is not a span of a day such as 09:00-17:00", parts[0]))
		}
		h.from = from
		h.to = to
		parts = parts[1:]
	}
	if len(parts) > 1 {
		return nil, hoursError(text, fmt.Sprintf("%q is too much, or in another order", strings.Join(parts, " ")))
	}
	if len(parts) == 1 {
		zone, err := time.LoadLocation(parts[0])
		if err != nil {
			return nil, hoursError(text, fmt.Sprintf("%q is neither days nor times nor a time zone that this machine knows", parts[0]))
		}
		h.zone = zone
	}
	return h, nil
}

func hoursError(text, what string) error {
	return fmt.Errorf("%q: %s; write hours such as Mon-Fri 09:00-17:00 Europe/Berlin", text, what)
}

// parseDays reads days such as Mon-Wed,Sat.
func parseDays(text string) (days [7]bool, ok bool) {
	for _, part := range strings.Split(text, ",") {
		begin, end, isRange := strings.Cut(part, "-")
		first := weekday(begin)
		last := first
		if isRange {
			last = weekday(end)
		}
		if first < 0 || last < 0 {
			return [7]bool{}, false
		}
		days[last] = true
		for d := first; d != last; d = (d + 1) % 7 {
			days[d] = true
		}
	}
	return days, true
}

func weekday(text string) int {
	for i, name := range weekdays {
		if strings.EqualFold(text, name) {
			return i
		}
	}
	return -1
}

// parseClock reads a time of day, 00:00 to 24:00, as minutes.
func parseClock(text string) (minutes int, ok bool) {
	if text == "24:00" {
		return day, true
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, false
	}
	return t.Hour()*60 + t.Minute(), true
}

// String returns the text that the hours were read from.
func (h *Hours) String() string { return h.text }

// Contain reports whether a time lies in the hours. The minute at which they begin does, and that at which they are over
// does not.
func (h *Hours) Contain(t time.Time) bool {
	local := t.In(h.zone)
	today := int(local.Weekday())
	minute := local.Hour()*60 + local.Minute()
	if h.from < h.to {
		return h.days[today] && minute >= h.from && minute < h.to
	}
	yesterday := (today + 6) % 7
	return h.days[today] && minute >= h.from || h.days[yesterday] && minute < h.to
}
