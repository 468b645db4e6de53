package notify

import (
	"net/http"
	"testing"
	"time"
)

// TestSign: the same as `printf '%s' '1772366400.{"id":7}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
func TestSign(t *testing.T) {
	if got := sign("0123456789abcdef", "1772366400", []byte(`{"id":7}`)); got != "sha256=b9e6b637041322a3e0378a1c9c49091e66dcc66d0aaca7aafc446dc9d123f86e" {
		t.Errorf("got %s", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                                     0,
		"soon":                                 0,
		"0":                                    0,
		"30":                                   30 * time.Second,
		"-30":                                  0,
		"-9223372037":                          0,
		"3600":                                 time.Hour,
		"3601":                                 time.Hour,
		"9223372036854775807":                  time.Hour,
		"99999999999999999999":                 0,
		"Sun, 01 Mar 2026 12:01:00 GMT":        time.Minute,
		"Sun, 01 Mar 2026 11:59:00 GMT":        0,
		"Sun, 01 Mar 2026 23:59:00 GMT":        time.Hour,
		now.Add(-time.Hour).Format(time.ANSIC): 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func TestTransient(t *testing.T) {
	for code, want := range map[int]bool{
		301: false, 304: false, 400: false, 404: false, 408: true, 410: false, 429: true, 499: false, 500: true, 503: true, 599: true,
	} {
		if transient(code) != want {
			t.Errorf("%d is transient: %v", code, !want)
		}
	}
	if status(http.StatusNotFound) != "404 Not Found" || status(599) != "599" {
		t.Errorf("got %s, %s", status(http.StatusNotFound), status(599))
	}
}

// TestBackOff: twice as long each time, up to a minute, less up to half of it.
func TestBackOff(t *testing.T) {
	n := New(nil)
	for round := 0; round < 20; round++ {
		h := &hook{}
		for i, longest := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			most := time.Duration(longest) * time.Second
			if got := n.backOff(h); got < most/2 || got > most {
				t.Errorf("failure %d: %v, want up to %v", i+1, got, most)
			}
		}
	}
}
