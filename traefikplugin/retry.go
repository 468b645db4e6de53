package traefikplugin

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/balance"
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/replay"
)

// choose aims at an upstream where the one whose turn it is, if any, may not do. The base serves where the variant has
// none that is available. It returns nil, or why nobody serves.
func choose(e *proxied) *core.Pick {
	now := time.Now()
	skipped := e.tried
	for {
		e.forced = false
		pick := pickFor(e, now, skipped)
		if pick.Upstream < 0 {
			return &pick
		}
		if pick.Variant != e.decision.Index {
			fallBack(e, pick.Failed, pick.Variant)
		}
		e.position = pick.Upstream
		e.target = e.standing.targets[pick.Upstream]
		if e.forced {
			e.attempt = balance.Forced(e.target.health)
			return nil
		}
		e.attempt = balance.Begin(e.target.health, now)
		if e.attempt != balance.Refused {
			return nil
		}
		skipped = append(skipped[:len(skipped):len(skipped)], pick.Upstream) // another request is its trial
		e.position = -1
	}
}

// pickFor returns what is available. A request that cannot be sent again leaves trials to others, unless the variant has
// nothing else: before the base takes its place.
func pickFor(e *proxied, now time.Time, skipped []int) core.Pick {
	s := e.standing
	once := func(i int) bool { return s.targets[i].health.AvailableOnce(now) }
	available := func(i int) bool { return s.targets[i].health.Available(now) }
	turn := core.Pick{Upstream: e.position, Variant: e.decision.Index}
	in := &expr.Input{Request: e.request, Address: clientOf(e.clients, e.request)}
	if !e.engine.Repeats(e.request) {
		if turn.Upstream >= 0 && once(turn.Upstream) {
			return turn
		}
		if pick := s.pools.Pick(turn.Variant, in, once, skipped); pick.Upstream >= 0 && pick.Variant == turn.Variant {
			return pick
		}
	}
	if turn.Upstream >= 0 && available(turn.Upstream) {
		return turn
	}
	pick := s.pools.Pick(turn.Variant, in, available, skipped)
	base := e.engine.Fallback(*e.decision).Index
	if pick.Upstream >= 0 || pick.Variant != base {
		return pick
	}
	// An error is certain otherwise, so the base's upstreams are tried whatever is known of them.
	if last := s.pools.Pick(base, in, nil, skipped); last.Upstream >= 0 {
		e.forced = true
		last.Failed = pick.Failed
		return last
	}
	return pick
}

// fallBack makes the base serve in the place of the variant that was chosen.
func fallBack(e *proxied, failed bool, base int) {
	if failed {
		report(&e.exchange, core.Outcome{Failed: true, Latency: time.Since(e.begin)})
		e.reported = false
	}
	fallback := e.engine.Fallback(*e.decision)
	if fallback.Index != base { // it has become another one since the decision
		fallback.Index = base
		fallback.Variant = e.engine.Variants()[base]
	}
	e.decision = &fallback
	e.tries = 0
}

// refuse answers a request that nobody can serve.
func refuse(w http.ResponseWriter, e *proxied, nobody *core.Pick) {
	report(&e.exchange, core.Outcome{Status: http.StatusServiceUnavailable, Failed: nobody.Failed, Gone: !nobody.Failed})
	core.Tell(e.engine, e.decision, e.request) // for the access log
	last, now := e.proxy.refused.Load(), time.Now().Unix()
	if now-last >= 60 && e.proxy.refused.CompareAndSwap(last, now) { // clients can have this as often as they like
		e.proxy.log.Warn("nobody serves a request", "rollout", e.engine.Name(), "variant", e.decision.Variant, "reason", nobody.Problem)
	}
	core.TellClient(e.engine, e.decision, w.Header())
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "Service Unavailable: "+nobody.Problem)
}

// answered takes in that the upstream answered. A steady upstream whose answer is no error needs none of this.
func answered(e *proxied) {
	if e.proxy.variants[e.decision.Index].settings.statuses[e.status] {
		failed(e, errors.New("the answer is "+http.StatusText(e.status)))
		return
	}
	if balance.Succeeded(e.target.health, e.attempt) {
		e.proxy.log.Warn("an upstream answers and gets requests again", "rollout", e.engine.Name(), "upstream", e.target.url.String())
	}
}

// failed takes in that the upstream did not answer, or not as it should.
func failed(e *proxied, err error) {
	if e.forced {
		return // it is out already
	}
	out := balance.Failed(e.target.health, e.attempt, e.proxy.variants[e.decision.Index].policy, time.Now())
	if out > 0 {
		e.proxy.log.Warn("an upstream failed and gets no requests", "rollout", e.engine.Name(), "upstream", e.target.url.String(), "for", out.String(), "error", err)
	}
}

// fail answers a request whose upstream gave no response: by another one if that may be, else by an error.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := r.Context().Value(exchangeKey).(*proxied)
	if !ok {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	status := statusOf(e, err)
	switch {
	case e.status != 0: // it has answered
	case status < http.StatusInternalServerError:
		balance.Cancelled(e.target.health, e.attempt)
	default:
		failed(e, err)
		if again(w, e, isLate(err)) {
			return
		}
	}
	e.failed = true
	e.success = false
	e.status = status
	e.latency = time.Since(e.begin)
	if status < http.StatusInternalServerError {
		e.status = statusClientGone
	} else {
		e.proxy.log.Warn("the variant did not answer", "rollout", e.engine.Name(), "variant", e.decision.Variant, "error", err)
	}
	core.TellClient(e.engine, e.decision, w.Header())
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status))
}

// statusOf returns the status that an error becomes. Below 500 it is the client's doing.
func statusOf(e *proxied, err error) int {
	var timeout net.Error
	switch {
	case e.request.Context().Err() != nil:
		return statusClientGone
	case e.upload != nil && e.upload.broken.Load():
		return http.StatusBadRequest
	case errors.As(err, &timeout) && timeout.Timeout():
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// isLate reports whether an upstream was connected and did not answer in time. The error's type is net/http's own.
func isLate(err error) bool {
	return strings.Contains(err.Error(), "timeout awaiting response headers")
}

// again lets another upstream answer: one more of the variant, unless the time for that is over or there were enough,
// then the base. It reports false if the request cannot be sent again or nobody is left to send it to.
func again(w http.ResponseWriter, e *proxied, late bool) bool {
	if !e.engine.Repeats(e.request) {
		return false
	}
	variant := e.decision.Index
	e.tries++
	enough := late || e.tries > e.proxy.variants[variant].settings.retries
	if enough && !e.engine.FallsBack(*e.decision, e.request) {
		return false
	}
	if e.body != nil {
		whole := e.body.Again()
		if whole == nil {
			return false
		}
		e.body = replay.NewBody(whole)
		e.request.Body = e.body
	}
	e.tried = append(e.tried, e.position)
	e.position = -1
	if enough {
		fallBack(e, true, e.engine.Fallback(*e.decision).Index)
	}
	if choose(e) != nil {
		return false
	}
	core.Tell(e.engine, e.decision, e.request)
	serveThrough(w, e)
	return true
}
