package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

const (
	maxSet         = 1 << 20 // bytes of a key set
	fetchTimeout   = 10 * time.Second
	defaultRefresh = 10 * time.Minute // where the server does not say how long a set is fresh
	minRefresh     = time.Minute      // also between two fetches that unknown keys cause
	maxRefresh     = 24 * time.Hour
	firstRetry     = time.Second // then twice as long each time, up to minRefresh
)

// remote is where keys are fetched.
type remote struct {
	url    string
	shown  string // the URL without its query, which may hold a key to the server
	client *http.Client
	wanted chan bool // holds one wish to fetch at once
}

// want has the keys fetched soon.
func (r *remote) want() {
	await.Wake(r.wanted)
}

// Fetch has [Verifier.Run] fetch the public keys from a URL. What was last fetched from there, as [Memory] has it,
// counts at once.
func (v *Verifier) Fetch(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not the URL of a key set such as https://login.example/keys", address)
	}
	if u.User != nil {
		return fmt.Errorf("%q: a name or password has no place here: a key set is public", u.Redacted())
	}
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	v.remote = &remote{url: address, shown: shown, client: newClient(), wanted: make(chan bool, 1)}
	if known := v.settings.Memory.keySet(address); known != nil {
		_, _ = v.load(known, true) // it was a key set when it was fetched
	}
	return nil
}

func newClient() *http.Client {
	return &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(request *http.Request, via []*http.Request) error {
			if request.URL.Scheme != via[0].URL.Scheme {
				return errors.New("redirected to another scheme")
			}
			if len(via) > 3 {
				return errors.New("redirected more than three times")
			}
			return nil
		},
	}
}

// Run fetches the keys until the context ends: at once, when they are no longer fresh, and, at most once a minute, when a
// token is by none of them and names none of them. While the server is away or answers nonsense, the keys stay as they were.
// report is told of every new fault, of keys that cannot be used, and with nil when all is well again.
func (v *Verifier) Run(ctx context.Context, report func(url string, err error)) {
	if v.remote == nil {
		return
	}
	said := ""
	var asked time.Time // when an unknown key caused a fetch
	retry := firstRetry
	for {
		fresh, skipped, err := v.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			retry = firstRetry
		} else {
			fresh = retry
			retry *= 2
			if retry > minRefresh {
				retry = minRefresh
			}
		}
		if err == nil && len(skipped) > 0 {
			err = fmt.Errorf("keys of no use: %s", strings.Join(skipped, "; "))
		}
		now := ""
		if err != nil {
			now = err.Error()
		}
		if now != said {
			said = now
			report(v.remote.shown, err)
		}
		if !v.pause(ctx, fresh, &asked) {
			return
		}
	}
}

// pause waits until the keys are to be fetched again, or returns false at the end of the context.
func (v *Verifier) pause(ctx context.Context, fresh time.Duration, asked *time.Time) bool {
	timer := time.NewTimer(fresh)
	defer timer.Stop()
	if at, _ := await.First(v.remote.wanted, timer.C, ctx.Done()); at != 0 {
		return ctx.Err() == nil
	}
	soonest := time.NewTimer(minRefresh - time.Since(*asked))
	defer soonest.Stop()
	// A wish puts nothing off, such as a try while the server is away.
	if at, _ := await.First(soonest.C, timer.C, ctx.Done()); at != 0 {
		return ctx.Err() == nil
	}
	*asked = time.Now()
	return true
}

// fetch loads the keys once and returns for how long they are fresh.
func (v *Verifier) fetch(ctx context.Context) (fresh time.Duration, skipped []string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.remote.url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	request.Header.Set("User-Agent", "grayling")
	response, err := v.remote.client.Do(request)
	if err != nil {
		var failed *url.Error // shows the URL
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return 0, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, nil, fmt.Errorf("the server answered %s", response.Status)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxSet+1))
	if err != nil {
		return 0, nil, err
	}
	if len(content) > maxSet {
		return 0, nil, errors.New("the answer is longer than 1 MiB")
	}
	skipped, err = v.load(content, true)
	if err != nil {
		return 0, nil, err
	}
	v.settings.Memory.setKeySet(v.remote.url, content)
	return freshness(response.Header), skipped, nil
}

// freshness is how long an answer may be used (RFC 9111, section 5.2.2), within bounds: a key that was withdrawn must
// not count for days, and a server that forbids to keep its keys must not be asked all the time.
func freshness(h http.Header) time.Duration {
	fresh := defaultRefresh
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minRefresh
		case "max-age":
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64)
			if err != nil || seconds < 0 {
				continue
			}
			fresh = maxRefresh
			if seconds < int64(maxRefresh/time.Second) {
				fresh = time.Duration(seconds) * time.Second
			}
		}
	}
	if fresh < minRefresh {
		return minRefresh
	}
	return fresh
}
