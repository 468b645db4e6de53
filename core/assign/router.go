package assign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// RouterSettings say which service is asked, and how.
type RouterSettings struct {
	// URL is where questions are posted to.
	URL string

	// Timeout bounds one question, from the connection to the end of the answer.
	Timeout time.Duration

	// Limit is the longest that an answer is remembered, whatever it says.
	Limit time.Duration

	// Headers are the names of the request headers that the router is told, in canonical spelling.
	Headers []string

	// Concurrency is how many questions may be open at once. There is no answer to those beyond.
	Concurrency int

	// Variants are the names that an answer may have.
	Variants []string
}

// What holds for settings that a user leaves out.
const (
	DefaultTimeout     = 500 * time.Millisecond
	DefaultLimit       = 24 * time.Hour
	DefaultConcurrency = 100
)

// defaultTerm is how long an answer is remembered that does not say it.
const defaultTerm = 5 * time.Minute

// maxAnswer is how long an answer may be, in bytes.
const maxAnswer = 16 << 10

// RouterCounts count what became of questions. They only grow.
type RouterCounts struct {
	Answered atomic.Int64 // got a variant
	Shared   atomic.Int64 // waited for the same client's question instead of asking
	TimedOut atomic.Int64 // got no answer in time
	Failed   atomic.Int64 // got no connection, or an answer that is no 200
	Invalid  atomic.Int64 // got an answer that makes no sense, such as an unknown variant
	Refused  atomic.Int64 // were not asked, because too many were open, or the router failed too often
}

// ByName returns the counts by the names that people are shown.
func (c *RouterCounts) ByName() map[string]int64 {
	return map[string]int64{
		"answered": c.Answered.Load(), "shared": c.Shared.Load(), "timed_out": c.TimedOut.Load(),
		"failed": c.Failed.Load(), "invalid": c.Invalid.Load(), "refused": c.Refused.Load(),
	}
}

// Router asks a service which variant a client gets. The service is sent a JSON document,
//
//	{"method": "GET", "path": "/cart", "headers": {"X-Plan": "gold"}, "client": "42", "variants": ["blue", "green"]}
//
// and answers with status 200 and another:
//
//	{"variant": "green", "ttl": 300}
//
// ttl is for how long the client keeps the variant: a number of seconds, or the text of a [Term]. Without one it is five
// minutes, and with 0 the client is asked about again at the next request.
//
// A router is safe for concurrent use.
type Router struct {
	settings RouterSettings
	memory   *Memory
	counts   *RouterCounts
	client   *http.Client
	breaker  breaker

	mu   sync.Mutex
	open map[string]*question // by client; guarded by mu
}

// question is one that is being asked.
type question struct {
	done   chan struct{} // closed when the rest is set
	answer Assignment
	err    error
}

// NewRouter returns a router that remembers its answers in a memory.
func NewRouter(s RouterSettings, memory *Memory, counts *RouterCounts) *Router {
	transport := &http.Transport{
		MaxIdleConns:        s.Concurrency,
		MaxIdleConnsPerHost: s.Concurrency,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: s.Timeout,
		ForceAttemptHTTP2:   true,
	}
	client := &http.Client{
		Transport: transport,
		Timeout:   s.Timeout,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is no answer
		},
	}
	return &Router{settings: s, memory: memory, counts: counts, client: client, open: map[string]*question{}}
}

// Close lets go of unused connections.
func (r *Router) Close() { r.client.CloseIdleConnections() }

// The reasons for which there is no answer.
var (
	errBusy = errors.New("too many questions are open")
	errAway = errors.New("it failed too often, and is asked again after a pause")
	errGone = errors.New("the client went away")
)

// Ask returns the assignment of a client in a generation, which is remembered if the router says so. Whoever asks for
// a client about whom a question is open waits for the same answer. The error says why there is none, without the
// router's address, which may contain a secret.
func (r *Router) Ask(request *http.Request, client string, generation uint64, now time.Time) (Assignment, error) {
	r.mu.Lock()
	asked := r.open[client]
	if asked != nil {
		r.mu.Unlock()
		return r.share(request.Context(), asked)
	}
	if a, known := Recall(r.memory, client); known && a.Generation == generation && a.Expires > now.UnixMilli() && r.has(a.Variant) {
		r.mu.Unlock()
		return a, nil // the question was answered since the caller looked
	}
	if len(r.open) >= r.settings.Concurrency {
		r.mu.Unlock()
		r.counts.Refused.Add(1)
		return Assignment{}, errBusy
	}
	if !r.breaker.allows(now) {
		r.mu.Unlock()
		r.counts.Refused.Add(1)
		return Assignment{}, errAway
	}
	asked = &question{done: make(chan struct{}), err: errors.New("the question broke")}
	r.open[client] = asked
	r.mu.Unlock()
	defer r.close(client, asked)
	r.ask(asked, request, client, generation, now)
	return asked.answer, asked.err
}

// share waits for the answer to a question that somebody else asked.
func (r *Router) share(ctx context.Context, asked *question) (Assignment, error) {
	r.counts.Shared.Add(1)
	if at, _ := await.First(asked.done, ctx.Done()); at != 0 {
		return Assignment{}, errGone
	}
	return asked.answer, asked.err
}

// close ends a question: by now the answer is remembered, so that nobody has to ask it again.
func (r *Router) close(client string, asked *question) {
	r.mu.Lock()
	delete(r.open, client)
	r.mu.Unlock()
	close(asked.done)
}

// ask sends a question and works its answer in.
func (r *Router) ask(asked *question, request *http.Request, client string, generation uint64, now time.Time) {
	begin := time.Now()
	reachable := false
	defer func() { r.breaker.report(reachable, now.Add(time.Since(begin))) }()
	content, status, err := r.post(request, client)
	if err != nil {
		reachable = isAboutClient(status)
		asked.err = err
		return
	}
	variant, expires, err := r.read(content, now)
	if err != nil {
		r.counts.Invalid.Add(1)
		asked.err = err
		return
	}
	reachable = true
	r.counts.Answered.Add(1)
	asked.answer = Assignment{Variant: variant, Generation: generation, Expires: expires}
	asked.err = nil
	if expires > now.UnixMilli() {
		r.memory.Remember(client, asked.answer)
	}
}

// isAboutClient reports whether a status refuses this client only. Others are asked about all the same: else whoever has
// himself refused a few times in a row would keep the router from everybody.
func isAboutClient(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// inquiry is a question as it is sent.
type inquiry struct {
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Headers  map[string]string `json:"headers"`
	Client   string            `json:"client"`
	Variants []string          `json:"variants"`
}

// post sends a question and returns the answer's content, and its status, which is 0 if there is no answer.
func (r *Router) post(request *http.Request, client string) ([]byte, int, error) {
	question := inquiry{
		Method: request.Method, Path: request.URL.Path, Headers: map[string]string{}, Client: client, Variants: r.settings.Variants,
	}
	for _, header := range r.settings.Headers {
		if fields := request.Header[header]; len(fields) > 0 {
			question.Headers[header] = strings.Join(fields, ", ") // as RFC 9110, section 5.3, combines them
		}
	}
	body, err := json.Marshal(question)
	if err != nil {
		return nil, 0, err
	}
	// Of the request's context only the values go with it: others may wait for the answer too.
	ctx := context.WithoutCancel(request.Context())
	outgoing, err := http.NewRequestWithContext(ctx, http.MethodPost, r.settings.URL, bytes.NewReader(body))
	if err != nil {
		return nil, 0, errors.New("its address is not one")
	}
	outgoing.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(outgoing)
	if err != nil {
		return nil, 0, r.failure(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, r.failure(err)
	}
	if response.StatusCode != http.StatusOK {
		r.counts.Failed.Add(1)
		return nil, response.StatusCode, fmt.Errorf("it answered with status %d", response.StatusCode)
	}
	return content, response.StatusCode, nil
}

// failure counts why there was no answer and returns it without the router's address.
func (r *Router) failure(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		r.counts.TimedOut.Add(1)
		return fmt.Errorf("it did not answer within %s", r.settings.Timeout)
	}
	r.counts.Failed.Add(1)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// read returns the variant that an answer names, and when it ends.
func (r *Router) read(content []byte, now time.Time) (string, int64, error) {
	if len(content) > maxAnswer {
		return "", 0, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		return "", 0, errors.New("its answer is not a JSON object")
	}
	variant, _ := answer["variant"].(string)
	if !r.has(variant) {
		return "", 0, fmt.Errorf("it answered with the variant %q: there are %s", short(variant), strings.Join(r.settings.Variants, ", "))
	}
	expires, err := ends(answer["ttl"], now)
	if err != nil {
		return "", 0, err
	}
	if limit := now.Add(r.settings.Limit).UnixMilli(); expires > limit {
		expires = limit
	}
	return variant, expires, nil
}

// has reports whether there is a variant. Answers to a configuration before may name one that this one has not.
func (r *Router) has(variant string) bool {
	for _, name := range r.settings.Variants {
		if name == variant {
			return true
		}
	}
	return false
}

// short returns as much of a text from outside as a log can bear.
func short(text string) string {
	if len(text) > maxVariant {
		return text[:maxVariant] + "..."
	}
	return text
}

// ends returns when an answer ends that has this ttl.
func ends(ttl any, now time.Time) (int64, error) {
	if ttl == nil {
		return now.Add(defaultTerm).UnixMilli(), nil
	}
	if text, ok := ttl.(string); ok {
		term, err := ParseTerm(short(text))
		if err != nil {
			return 0, fmt.Errorf("ttl: %w", err)
		}
		return term.Expires(now), nil
	}
	seconds, ok := ttl.(float64)
	if !ok || seconds < 0 {
		return 0, errors.New("ttl: neither a number of seconds nor a text such as 300s")
	}
	if seconds > Never/1000 {
		return Never, nil
	}
	return bounded(now.UnixMilli() + int64(seconds*1000)), nil
}
