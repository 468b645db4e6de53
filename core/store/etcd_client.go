package store

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

const (
	// etcdDial is how long a connection may take: one lost packet is sent again within it.
	etcdDial = 1500 * time.Millisecond

	// etcdKeepAlive is how often the system asks whether an idle peer is still there. After nine questions without an
	// answer, as Linux counts, the connection of a watch ends.
	etcdKeepAlive = 2 * time.Second

	// mostEtcdConns is how many connections there are to a member, the watch's among them. Fifty rollouts that ask at the same
	// time wait for each other: a connection that is opened for one question costs etcd more than the question.
	mostEtcdConns = 8

	// maxEtcdAnswer is how many bytes an answer may have: a document in base64, and what is around it.
	maxEtcdAnswer = MaxContent/3*4 + 64<<10
)

// etcdClient asks the members of a cluster, one after the other until one answers.
type etcdClient struct {
	endpoints []string // without a slash at the end
	username  string
	password  func() string
	report    func(error)
	attempt   time.Duration // how long one member may take
	transport *http.Transport

	working atomic.Int64 // the index of the endpoint that answered last
	outage  atomic.Value // *etcdOutage, the last; nothing before there was one
	login   atomic.Value // *etcdLogin
	signing chan bool    // holds a value while somebody authenticates
	turns   chan bool    // holds one for each request that is under way: no request waits for a connection
}

// etcdOutage is when a request took long, and was not answered by any member. Nobody else has to wait for that until it
// is over: a gateway with fifty rollouts starts while a cluster is away about as soon as one with a single rollout.
type etcdOutage struct {
	until time.Time
	err   error
}

// etcdLong is how long a request takes at least that is not to be tried by everybody, and how long nobody tries then.
const etcdLong = time.Second

// etcdReply is what became of a request.
type etcdReply struct {
	content []byte // of the answer
	err     error
	code    int  // etcd's reason for a refusal (google.golang.org/grpc/codes); 0: it is not etcd's
	sent    bool // a request that failed may have been carried out all the same
	unsure  bool // this one was answered, but one before it may have been carried out
}

// Of gRPC's codes, those that tell what to do.
const (
	etcdInvalidArgument   = 3
	etcdNotFound          = 5 // a lease has expired
	etcdPermissionDenied  = 7
	etcdResourceExhausted = 8
	etcdPrecondition      = 9
	etcdUnauthenticated   = 16
)

var errEtcdLonger = errors.New("the answer is longer")

// etcdMethod is something that etcd does.
type etcdMethod struct {
	path    string
	repeats bool // it may be done twice: what a connection lost is sent over another
}

var (
	etcdReads         = etcdMethod{"/v3/kv/range", true}
	etcdReadsMany     = etcdMethod{"/v3/kv/txn", true}
	etcdWrites        = etcdMethod{"/v3/kv/txn", false}
	etcdWatching      = etcdMethod{"/v3/watch", true}
	etcdGrants        = etcdMethod{"/v3/lease/grant", true}
	etcdKeepsAlive    = etcdMethod{"/v3/lease/keepalive", true}
	etcdAuthenticates = etcdMethod{"/v3/auth/authenticate", true}
)

func newEtcdClient(s EtcdSettings) *etcdClient {
	c := &etcdClient{username: s.Username, password: s.Password, report: s.Report, attempt: s.Timeout, signing: make(chan bool, 1), turns: make(chan bool, mostEtcdConns-1)}
	if c.attempt == 0 {
		c.attempt = DefaultEtcdTimeout
	}
	for _, endpoint := range s.Endpoints {
		c.endpoints = append(c.endpoints, strings.TrimRight(endpoint, "/"))
	}
	c.working.Store(rand.Int63n(int64(len(c.endpoints)))) // so that many gateways do not all use the same member
	c.login.Store(&etcdLogin{})
	dialer := &net.Dialer{Timeout: etcdDial, KeepAlive: etcdKeepAlive}
	c.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		TLSHandshakeTimeout: c.attempt,
		MaxConnsPerHost:     mostEtcdConns,
		MaxIdleConnsPerHost: mostEtcdConns,
		IdleConnTimeout:     time.Minute,
	}
	if s.TLS != nil {
		c.transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialEtcd(ctx, dialer, s.TLS, c.attempt, address)
		}
		if config, err := s.TLS(); err == nil {
			c.transport.TLSClientConfig = config // for connections through a proxy
		}
	}
	return c
}

// dialEtcd opens a connection with the certificates that there are now.
func dialEtcd(ctx context.Context, dialer *net.Dialer, current func() (*tls.Config, error), timeout time.Duration, address string) (net.Conn, error) {
	config, err := current()
	if err != nil {
		return nil, err
	}
	plain, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if config = config.Clone(); config.ServerName == "" {
		name, _, _ := net.SplitHostPort(address) // it was dialled
		config.ServerName = name
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = plain.Close() // nothing was written to it
		return nil, err
	}
	return conn, nil
}

// call posts a request to the member that answered last or, while none answers, to the others. None of them gets more
// than half of the caller's time, as long as there is another to ask.
func (c *etcdClient) call(ctx context.Context, method etcdMethod, body []byte) etcdReply {
	if !await.Acquire(ctx, c.turns) { // no member is to blame that this was not asked
		return etcdReply{err: fmt.Errorf("etcd has not answered the %d requests before this one: %w", cap(c.turns), ctx.Err())}
	}
	defer func() { <-c.turns }()
	if last, _ := c.outage.Load().(*etcdOutage); last != nil && time.Now().Before(last.until) {
		return etcdReply{err: last.err}
	}
	began := time.Now()
	first := int(c.working.Load())
	var faults []string
	sent := false
	for i := 0; i < len(c.endpoints); i++ {
		at := (first + i) % len(c.endpoints)
		asking, cancel := portion(ctx, i+1 == len(c.endpoints))
		reply := c.signed(asking, at, method, body)
		cancel()
		if ctx.Err() != nil && reply.err != nil {
			if !errors.Is(ctx.Err(), context.Canceled) {
				c.avoid(at)
			}
			faults = append(faults, host(c.endpoints[at]))
			return c.unanswered(ctx, began, fmt.Errorf("%s: %w", strings.Join(faults, "; "), ctx.Err()))
		}
		if reply.err == nil || final(reply) {
			reply.unsure = sent
			c.moved(first, at, faults)
			return reply
		}
		sent = sent || reply.sent
		faults = append(faults, reply.err.Error())
	}
	return c.unanswered(ctx, began, errors.New(strings.Join(faults, "; ")))
}

// unanswered is what becomes of a request that no member has answered.
func (c *etcdClient) unanswered(ctx context.Context, began time.Time, err error) etcdReply {
	if time.Since(began) >= etcdLong && !errors.Is(ctx.Err(), context.Canceled) {
		c.outage.Store(&etcdOutage{until: time.Now().Add(etcdLong), err: err})
	}
	return etcdReply{err: err}
}

// portion returns a context for one of those to ask.
func portion(ctx context.Context, last bool) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if last || !limited {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// final reports whether all members would refuse the same.
func final(r etcdReply) bool {
	return r.code == etcdInvalidArgument || r.code == etcdNotFound || r.code == etcdPermissionDenied || r.code == etcdUnauthenticated || errors.Is(r.err, ErrDocument) || errors.Is(r.err, errEtcdLonger)
}

// moved remembers which member answered, and tells why those before it did not, once of all calls at the same time.
func (c *etcdClient) moved(from, to int, faults []string) {
	if len(faults) > 0 && c.working.CompareAndSwap(int64(from), int64(to)) && c.report != nil {
		c.report(fmt.Errorf("etcd: %s is used from now on: %s", host(c.endpoints[to]), strings.Join(faults, "; ")))
	}
}

// avoid makes requests begin with the next member, if they would with this one.
func (c *etcdClient) avoid(at int) {
	next := (at + 1) % len(c.endpoints)
	c.working.CompareAndSwap(int64(at), int64(next))
}

// post sends a request to one member and reads the answer.
func (c *etcdClient) post(ctx context.Context, at int, method etcdMethod, token string, body []byte) etcdReply {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.attempt)
	defer cancel()
	response, err := c.send(ctx, at, method, token, body)
	if err != nil {
		return c.lost(at, began, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxEtcdAnswer+1))
	if err != nil {
		return c.lost(at, began, err)
	}
	if len(content) > maxEtcdAnswer {
		return etcdReply{err: fmt.Errorf("%s: %w than %d bytes", host(c.endpoints[at]), errEtcdLonger, maxEtcdAnswer), sent: true}
	}
	if response.StatusCode != http.StatusOK {
		return c.refusal(at, response.StatusCode, content)
	}
	if !json.Valid(content) {
		return etcdReply{err: fmt.Errorf("%s: %w", host(c.endpoints[at]), errEtcdAnswer), sent: true}
	}
	return etcdReply{content: content}
}

// send sends a request to one member. The answer's body has to be closed.
func (c *etcdClient) send(ctx context.Context, at int, method etcdMethod, token string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoints[at]+method.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "grayling")
	request.Header.Set("Grpc-Metadata-Hasleader", "true") // a member that has lost the others says so at once, in watches too
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	if method.repeats {
		request.Header["Idempotency-Key"] = nil // is not sent: it says that what a connection lost may be sent over another
	}
	// Not through a Client: it follows redirects, and would take the token along.
	response, err := c.transport.RoundTrip(request)
	return response, err
}

// lost says why there is no answer.
func (c *etcdClient) lost(at int, began time.Time, err error) etcdReply {
	var failed net.Error
	var connecting *net.OpError
	reply := etcdReply{sent: true}
	if errors.As(err, &connecting) && connecting.Op == "dial" {
		reply.sent = false
	}
	late := errors.Is(err, context.Canceled) || errors.As(err, &failed) && failed.Timeout()
	if late && reply.sent {
		waited := time.Since(began).Round(100 * time.Millisecond)
		reply.err = fmt.Errorf("%s: no answer within %s", host(c.endpoints[at]), waited.String())
		return reply
	}
	reply.err = fmt.Errorf("%s: %w", host(c.endpoints[at]), err)
	return reply
}

// etcdFault is why etcd refuses something: https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto.
type etcdFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type etcdWrappedFault struct {
	Error etcdFault `json:"error"`
}

// refusal says why a member refuses a request.
func (c *etcdClient) refusal(at, status int, content []byte) etcdReply {
	if bytes.HasPrefix(content, []byte("CommonName of client")) { // it has not come to the gateway, which writes JSON
		return etcdReply{err: fmt.Errorf("%s has users, and then takes no client certificate with a common name: use one without", host(c.endpoints[at]))}
	}
	fault, known := faultIn(content)
	if !known {
		reply := etcdReply{err: fmt.Errorf("%s: status %d: %w", host(c.endpoints[at]), status, errEtcdAnswer), sent: true}
		if status == http.StatusUnauthorized { // whoever says so, such as a proxy
			reply.code = etcdUnauthenticated
		}
		return reply
	}
	if tooLarge(fault) {
		err := fmt.Errorf("%w: larger than etcd takes: raise its --max-request-bytes", ErrDocument)
		return etcdReply{err: err, code: fault.Code}
	}
	if unsigned(fault.Message) {
		fault.Code = etcdUnauthenticated
	}
	err := fmt.Errorf("%s: status %d: %s", host(c.endpoints[at]), status, c.quoted(fault.Message))
	return etcdReply{err: err, code: fault.Code, sent: true}
}

// faultIn returns why etcd refuses something, if that is what an answer says. Methods that stream, as that which renews leases,
// wrap it, but for those of etcd 3.4.
func faultIn(content []byte) (etcdFault, bool) {
	var fault etcdFault
	if err := json.Unmarshal(content, &fault); err == nil && fault.Message != "" {
		return fault, true
	}
	var wrapped etcdWrappedFault
	err := json.Unmarshal(content, &wrapped)
	return wrapped.Error, err == nil && wrapped.Error.Message != ""
}

func tooLarge(fault etcdFault) bool {
	return strings.Contains(fault.Message, "request is too large") ||
		fault.Code == etcdResourceExhausted && strings.Contains(fault.Message, "larger than max")
}

// quoted returns a text of a server, without the secrets that it may repeat.
func (c *etcdClient) quoted(text string) string {
	login, _ := c.login.Load().(*etcdLogin)
	for _, secret := range []string{login.token, login.password} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return fmt.Sprintf("%.200q", text)
}

// host returns the part of an endpoint that names it.
func host(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "an endpoint"
	}
	return u.Host
}
