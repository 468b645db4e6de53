package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/rollout"
)

const secret = "hush hush hush hush"

// counted returns what was counted, in the order of the fields.
func counted(n *Notifier) []int64 {
	c := &n.Counts
	return []int64{c.Delivered.Load(), c.Refused.Load(), c.Expired.Load(), c.Dropped.Load(), c.Retried.Load()}
}

func expect(t *testing.T, n *Notifier, want ...int64) {
	t.Helper()
	if got := counted(n); !reflect.DeepEqual(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestDelivery: a receiver that fails first gets every event once it is well, in order, each attempt signed.
func TestDelivery(t *testing.T) {
	var log journal
	r := newReceiver(t, 500, 0, 429, 408, 200, 503)
	n := newNotifier(&log, Target{URL: r.URL + "/hush?hush", Secret: secret})
	n.Send("checkout", "edge-1", events(1, 1))
	start(t, n)
	n.Send("checkout", "edge-1", events(2, 3))
	eventually(t, "three deliveries", func() bool { return n.Counts.Delivered.Load() == 3 })
	if got := r.ids(); !reflect.DeepEqual(got, []int64{1, 1, 1, 1, 1, 2, 2, 3}) {
		t.Errorf("attempts %v", got)
	}
	expect(t, n, 3, 0, 0, 0, 5)
	ids := map[string]int64{}
	for i := range r.ids() {
		a := r.attempt(i)
		timestamp := a.header.Get("X-Rollout-Timestamp")
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp + "." + a.body))
		if got, want := a.header.Get("X-Rollout-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("attempt %d: signature %q, want %q", i, got, want)
		}
		seconds, err := strconv.ParseInt(timestamp, 10, 64)
		if age := a.at.Unix() - seconds; err != nil || age < 0 || age > 60 {
			t.Errorf("attempt %d: timestamp %q at %v", i, timestamp, a.at)
		}
		if a.header.Get("Content-Type") != "application/json" || a.header.Get("X-Rollout-Event") != "step_advanced" {
			t.Errorf("attempt %d: headers %v", i, a.header)
		}
		ids[a.header.Get("X-Rollout-Delivery")] = a.id
		if want := string(newMessage("checkout", "edge-1", events(a.id, a.id)[0]).body(JSON)); a.body != want {
			t.Errorf("attempt %d: got %s, want %s", i, a.body, want)
		}
	}
	if len(ids) != 3 || ids[""] != 0 {
		t.Errorf("delivery ids %v", ids)
	}
	text := log.String()
	if strings.Contains(text, "hush") || !strings.Contains(text, "webhook="+r.URL+" error=\"it answered 500 Internal Server Error\"") ||
		strings.Count(text, "takes events again") != 2 {
		t.Errorf("logged %s", text)
	}
}

// TestRefused: what will be answered the same the next time is not sent again, and keeps nothing else.
func TestRefused(t *testing.T) {
	for _, code := range []int{302, 304, 307, 400, 403, 404, 410} {
		var log journal
		r := newReceiver(t, code)
		n := newNotifier(&log, Target{URL: r.URL + "/hush"})
		start(t, n)
		n.Send("checkout", "", events(1, 2))
		eventually(t, "a delivery", func() bool { return n.Counts.Delivered.Load() == 1 })
		expect(t, n, 1, 1, 0, 0, 0)
		if got := r.ids(); !reflect.DeepEqual(got, []int64{1, 2}) {
			t.Errorf("%d: attempts %v", code, got)
		}
		if a := r.attempt(0); a.header["X-Rollout-Signature"] != nil {
			t.Errorf("signed without a secret: %v", a.header)
		}
		text := log.String()
		if !strings.Contains(text, "event=step_advanced revision=v2 id=1 reason=\"it answered "+strconv.Itoa(code)) || strings.Contains(text, "hush") {
			t.Errorf("%d: logged %s", code, text)
		}
	}
}

// TestRedirectIsNotFollowed: what is sent is for nobody else.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newReceiver(t)
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusPermanentRedirect)
	}))
	defer here.Close()
	n := newNotifier(&journal{}, Target{URL: here.URL})
	start(t, n)
	n.Send("checkout", "", events(1, 1))
	eventually(t, "a refusal", func() bool { return n.Counts.Refused.Load() == 1 })
	if got := elsewhere.ids(); got != nil {
		t.Errorf("elsewhere got %v", got)
	}
}

func TestExpired(t *testing.T) {
	var log journal
	r := newReceiver(t)
	n := newNotifier(&log, Target{URL: r.URL})
	n.Send("checkout", "", events(1, 3))
	n.hooks[0].queue[0].queued = time.Now().Add(-expiry - time.Second)
	n.hooks[0].queue[1].queued = time.Now().Add(-expiry + time.Minute)
	start(t, n)
	eventually(t, "two deliveries", func() bool { return n.Counts.Delivered.Load() == 2 })
	expect(t, n, 2, 0, 1, 0, 0)
	if got := r.ids(); !reflect.DeepEqual(got, []int64{2, 3}) {
		t.Errorf("attempts %v", got)
	}
	if !strings.Contains(log.String(), "id=1 reason=\"the webhook did not take it for 1h0m0s\"") {
		t.Errorf("logged %s", log.String())
	}
}

// TestOverflow: the oldest that is not on its way gives way.
func TestOverflow(t *testing.T) {
	var log journal
	r := newReceiver(t)
	r.hangs = make(chan struct{})
	n := newNotifier(&log, Target{URL: r.URL})
	if n.limit != 1000 {
		t.Errorf("%d events may wait", n.limit)
	}
	n.limit = 3
	n.Send("checkout", "", events(1, 5))
	if n.Waiting() != 3 {
		t.Errorf("%d wait", n.Waiting())
	}
	start(t, n)
	eventually(t, "an attempt", func() bool { return len(r.ids()) == 1 })
	n.Send("checkout", "", events(6, 8))
	if n.Waiting() != 4 {
		t.Errorf("%d wait beside the one on its way", n.Waiting()-1)
	}
	close(r.hangs)
	eventually(t, "four deliveries", func() bool { return n.Counts.Delivered.Load() == 4 })
	expect(t, n, 4, 0, 0, 4, 0)
	if got := r.ids(); !reflect.DeepEqual(got, []int64{3, 6, 7, 8}) {
		t.Errorf("attempts %v", got)
	}
	if strings.Count(log.String(), "too many events wait for the webhook") != 4 {
		t.Errorf("logged %s", log.String())
	}
}

// TestRetryAfter: a receiver that asks for time gets it.
func TestRetryAfterIsKept(t *testing.T) {
	r := newReceiver(t, 429)
	r.after = "1"
	n := newNotifier(&journal{}, Target{URL: r.URL, Format: Slack})
	start(t, n)
	n.Send("checkout", "", events(1, 1))
	eventually(t, "a delivery", func() bool { return n.Counts.Delivered.Load() == 1 })
	if waited := r.attempt(1).at.Sub(r.attempt(0).at); waited < time.Second {
		t.Errorf("it was tried again after %v", waited)
	}
	a := r.attempt(0)
	if !strings.Contains(a.body, "*checkout* is at step 1") || a.header["X-Rollout-Event"] != nil || a.header["X-Rollout-Timestamp"] != nil {
		t.Errorf("got %s with %v", a.body, a.header)
	}
}

// TestTargetsAreIndependent: of each other's events, and of each other's faults.
func TestTargetsAreIndependent(t *testing.T) {
	stuck, all, some := newReceiver(t), newReceiver(t), newReceiver(t)
	stuck.hangs = make(chan struct{})
	n := newNotifier(&journal{}, Target{URL: stuck.URL}, Target{URL: all.URL}, Target{URL: some.URL, Events: []string{"promoted"}})
	start(t, n)
	list := events(1, 3)
	list[1].Kind = rollout.KindPromoted
	n.Send("checkout", "", list)
	eventually(t, "four deliveries", func() bool { return n.Counts.Delivered.Load() == 4 })
	if got := all.ids(); !reflect.DeepEqual(got, []int64{1, 2, 3}) {
		t.Errorf("who wants all got %v", got)
	}
	if got := some.ids(); !reflect.DeepEqual(got, []int64{2}) {
		t.Errorf("who wants some got %v", got)
	}
	close(stuck.hangs)
	eventually(t, "all deliveries", func() bool { return n.Counts.Delivered.Load() == 7 })
}

// TestConfigure: what waits for a webhook that stays is delivered as the new configuration says.
func TestConfigure(t *testing.T) {
	var log journal
	stays, goes, comes := newReceiver(t, 500, 500, 500), newReceiver(t), newReceiver(t)
	goes.answer(make([]int, 100_000)...)
	n := newNotifier(&log, Target{URL: goes.URL + "/hush"}, Target{URL: stays.URL + "/hush"})
	n.most = 20 * time.Millisecond
	start(t, n)
	n.Send("checkout", "", events(1, 2))
	eventually(t, "attempts", func() bool { return len(goes.ids()) > 0 && len(stays.ids()) > 0 })
	var other journal
	n.SetLog(other.logger())
	n.Configure([]Target{{URL: stays.URL + "/hush", Secret: secret}, {URL: comes.URL}})
	n.Send("checkout", "", events(3, 3))
	eventually(t, "four deliveries", func() bool { return n.Counts.Delivered.Load() == 4 })
	if n.Counts.Dropped.Load() != 2 || strings.Count(other.String(), "the webhook is no longer configured") != 2 {
		t.Errorf("dropped %d, logged %s", n.Counts.Dropped.Load(), other.String())
	}
	if text := log.String() + other.String(); strings.Contains(text, "hush") {
		t.Errorf("logged %s", text)
	}
	if got := comes.ids(); !reflect.DeepEqual(got, []int64{3}) {
		t.Errorf("who came got %v", got)
	}
	ids := stays.ids()
	if got := ids[len(ids)-3:]; !reflect.DeepEqual(got, []int64{1, 2, 3}) {
		t.Errorf("who stayed got %v", ids)
	}
	if a := stays.attempt(len(ids) - 1); a.header.Get("X-Rollout-Signature") == "" {
		t.Error("the new secret does not sign")
	}
	eventually(t, "nobody working for who went", func() bool { return stable(func() int { return len(goes.ids()) }) })
}

// stable reports whether a count stays as it is for a second.
func stable(count func() int) bool {
	before := count()
	time.Sleep(time.Second)
	return count() == before
}

// TestEnd: what waits when everything ends is still delivered.
func TestEnd(t *testing.T) {
	r := newReceiver(t, 500)
	n := newNotifier(&journal{}, Target{URL: r.URL})
	n.first = time.Hour // only the end makes another attempt
	n.most = time.Hour
	n.drain = time.Minute // longer than a busy machine needs
	stop := start(t, n)
	n.Send("checkout", "", events(1, 3))
	eventually(t, "an attempt", func() bool { return n.Counts.Retried.Load() == 1 })
	stop()
	expect(t, n, 3, 0, 0, 0, 1)
	stop = start(t, n) // and it may run again
	n.Send("checkout", "", events(4, 4))
	eventually(t, "a delivery", func() bool { return n.Counts.Delivered.Load() == 4 })
	stop()
}

// TestEndDuringAnAttempt: an attempt that fails while everything ends is not the last.
func TestEndDuringAnAttempt(t *testing.T) {
	s := &shift{ctx: context.Background(), stop: make(chan struct{})}
	var attempts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if attempts.Add(1) == 1 {
			close(s.stop)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(func() { server.Close() })
	n := newNotifier(&journal{}, Target{URL: server.URL})
	n.first = time.Hour
	n.most = time.Hour
	n.Send("checkout", "", events(1, 1))
	s.workers.Add(1)
	go work(n, s, n.hooks[0])
	eventually(t, "a delivery", func() bool { return n.Counts.Delivered.Load() == 1 })
	s.workers.Wait()
}

// TestEndIsBounded: nobody waits long for a webhook that does not answer.
func TestEndIsBounded(t *testing.T) {
	var log journal
	r := newReceiver(t)
	r.hangs = make(chan struct{})
	defer close(r.hangs)
	n := newNotifier(&log, Target{URL: r.URL})
	stop := start(t, n)
	n.Send("checkout", "", events(1, 3))
	eventually(t, "an attempt", func() bool { return len(r.ids()) == 1 })
	begin := time.Now()
	stop()
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("the end took %v", took)
	}
	if n.Counts.Delivered.Load() != 0 || n.Waiting() != 3 || !strings.Contains(log.String(), "events=3") {
		t.Errorf("%d delivered, %d wait, logged %s", n.Counts.Delivered.Load(), n.Waiting(), log.String())
	}
}

// TestHandOver: another run goes on where one ends, and only one works at a time.
func TestHandOver(t *testing.T) {
	r := newReceiver(t, 500)
	n := newNotifier(&journal{}, Target{URL: r.URL})
	n.first = time.Hour
	n.most = time.Hour
	stop := start(t, n)
	n.Send("checkout", "", events(1, 2))
	eventually(t, "an attempt", func() bool { return n.Counts.Retried.Load() == 1 })
	start(t, n)
	eventually(t, "another run waiting", func() bool { return n.next.Load() == 1 })
	stop()
	eventually(t, "two deliveries", func() bool { return n.Counts.Delivered.Load() == 2 })
	if got := r.ids(); !reflect.DeepEqual(got, []int64{1, 1, 2}) {
		t.Errorf("attempts %v", got)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	n.Run(ended) // does not wait for the other
}
