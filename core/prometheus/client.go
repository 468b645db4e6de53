package prometheus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Counts count what became of queries. They only grow.
type Counts struct {
	Answered    atomic.Int64 // with a number
	TimedOut    atomic.Int64
	Unreachable atomic.Int64
	Refused     atomic.Int64 // with an error: the query is wrong, or nobody may ask it
	Malformed   atomic.Int64 // with something else than the API's documentation says
	Empty       atomic.Int64 // without a series
	Several     atomic.Int64 // with more than one
	NotFinite   atomic.Int64 // with NaN or an infinite number
}

// ByName returns the counts by the names that people are shown.
func (c *Counts) ByName() map[string]int64 {
	return map[string]int64{
		"answered": c.Answered.Load(), "timed_out": c.TimedOut.Load(), "unreachable": c.Unreachable.Load(), "refused": c.Refused.Load(),
		"malformed": c.Malformed.Load(), "empty": c.Empty.Load(), "several": c.Several.Load(), "not_finite": c.NotFinite.Load(),
	}
}

// Client asks a server. It outlives configurations. All methods are safe for concurrent use.
type Client struct {
	Counts Counts

	log    atomic.Value // *slog.Logger
	server atomic.Value // *Server; nothing before the first Configure
	logged atomic.Int64 // Unix second when a failure was logged last
}

// NewClient returns a client that has to be configured. log is as in [Client.SetLog].
func NewClient(log *slog.Logger) *Client {
	c := &Client{}
	c.SetLog(log)
	return c
}

// SetLog sets who gets, from now on and at most once a minute, why a value is unknown. Nil: nobody does.
func (c *Client) SetLog(log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil)) // Yaegi has no slog.DiscardHandler
	}
	c.log.Store(log)
}

// Configure sets the server, which is without problems, for queries from now on.
func (c *Client) Configure(s Server) { c.server.Store(&s) }

// Values asks all queries at once and returns the values of those that have one: one finite number. Those that have
// none are counted, and are unknown. A query that is there twice is asked once.
func (c *Client) Values(ctx context.Context, queries []string) map[string]float64 {
	values := map[string]float64{}
	asked := map[string]bool{}
	var mu sync.Mutex // guards values
	var open sync.WaitGroup
	for _, query := range queries {
		if asked[query] {
			continue
		}
		asked[query] = true
		query := query // Yaegi shares it between the rounds
		open.Add(1)
		go func() {
			defer open.Done()
			value, err := c.Query(ctx, query)
			if err != nil {
				c.report(ctx, query, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			values[query] = value
		}()
	}
	open.Wait()
	return values
}

// report logs why a value is unknown.
func (c *Client) report(ctx context.Context, query string, err error) {
	last, now := c.logged.Load(), time.Now().Unix()
	if ctx.Err() == nil && now-last >= 60 && c.logged.CompareAndSwap(last, now) {
		log, _ := c.log.Load().(*slog.Logger)
		log.Warn("a query has no value, and what depends on it is unknown", "query", query, "error", err.Error())
	}
}

// Query returns the value that an expression of PromQL has now: a scalar, or an instant vector's only series. Its errors
// show nothing of the URL but the host, and no secret.
func (c *Client) Query(ctx context.Context, query string) (float64, error) {
	server, _ := c.server.Load().(*Server)
	if server == nil {
		return 0, fmt.Errorf("%w: there is no server: configure prometheus", ErrUnreachable)
	}
	value, err := ask(ctx, server, query)
	c.count(err)
	return value, err
}

// ask posts a query: a GET would be too long for some.
func ask(ctx context.Context, s *Server, query string) (float64, error) {
	endpoint, err := s.endpoint()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	form := url.Values{"query": {query}, "timeout": {strconv.FormatFloat(s.timeout().Seconds(), 'f', -1, 64)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, fmt.Errorf("%w: its URL is none", ErrUnreachable)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "grayling")
	request.Header["Idempotency-Key"] = nil // is not sent: it says that what a connection lost may be sent over another
	switch {
	case s.BearerToken != "":
		request.Header.Set("Authorization", "Bearer "+s.BearerToken)
	case s.Username != "":
		request.SetBasicAuth(s.Username, s.Password)
	}
	// Not through a Client: it follows redirects, and would take the credentials along.
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return 0, failure(err, s)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return 0, failure(err, s)
	}
	return read(response.StatusCode, content)
}

// failure says why there is no answer.
func failure(err error, s *Server) error {
	var failed net.Error
	if errors.As(err, &failed) && failed.Timeout() {
		return fmt.Errorf("%w: none within %s", ErrTimeout, s.timeout().String())
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// count counts what became of a query.
func (c *Client) count(err error) {
	switch {
	case err == nil:
		c.Counts.Answered.Add(1)
	case errors.Is(err, ErrTimeout):
		c.Counts.TimedOut.Add(1)
	case errors.Is(err, ErrRefused):
		c.Counts.Refused.Add(1)
	case errors.Is(err, ErrMalformed):
		c.Counts.Malformed.Add(1)
	case errors.Is(err, ErrEmpty):
		c.Counts.Empty.Add(1)
	case errors.Is(err, ErrSeveral):
		c.Counts.Several.Add(1)
	case errors.Is(err, ErrNotFinite):
		c.Counts.NotFinite.Add(1)
	default:
		c.Counts.Unreachable.Add(1)
	}
}
