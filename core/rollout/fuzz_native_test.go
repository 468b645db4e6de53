package rollout

import (
	"errors"
	"testing"
	"time"
)

func FuzzDecode(f *testing.F) {
	m, _ := New(usual(), Record{}, Time{Wall: monday})
	content, err := m.Record().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		record, err := Decode(content)
		if err != nil {
			if !errors.Is(err, ErrRecord) && !errors.Is(err, ErrNewer) {
				t.Errorf("error %v", err)
			}
			return
		}
		m, _ := New(usual(), record, Time{Wall: monday})
		m.Tick(Time{Wall: monday, Mono: time.Hour}, Observations{Evaluation: &Evaluation{Position: m.Position(), Verdict: Pass}})
		if _, err := m.Command(Time{Wall: monday, Mono: time.Hour}, Command{Verb: Restart}); err != nil || m.Weights()[1] != percent {
			t.Errorf("restarted: %v, weights %v", err, m.Weights())
		}
		if _, err := m.Record().Encode(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParseHours(f *testing.F) {
	f.Add("Mon-Fri 09:00-17:00 Europe/Berlin", int64(0))
	f.Add("Sat,Sun 22:00-06:00", int64(1<<40))
	f.Fuzz(func(t *testing.T, text string, second int64) {
		hours, err := ParseHours(text)
		if err != nil {
			return
		}
		week := 0
		at := time.Unix(second%(1<<40), 0)
		for minute := 0; minute < 7*day; minute++ {
			if hours.Contain(at.Add(time.Duration(minute) * time.Minute)) {
				week++
			}
		}
		if week == 0 && hours.to-hours.from > 180 { // shorter ones can fall into an hour that clocks leap over
			t.Errorf("%q contains nothing of a week", text)
		}
	})
}
