package prometheus

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// DefaultTimeout is how long an answer may take where a user does not say it.
const DefaultTimeout = 5 * time.Second

// maxTimeout is the longest that a user may wait.
const maxTimeout = 30 * time.Second

// Server is where queries are asked, and as whom.
type Server struct {
	// URL is the server's, such as http://10.0.0.9:9090, without /api/v1. A query in it goes with every request.
	URL string

	// BearerToken is sent as Authorization: Bearer. Empty: none is.
	BearerToken string

	// Username and Password are sent as basic authentication. Empty: there is none.
	Username string
	Password string

	// Timeout bounds one query, from the connection to the end of the answer. 0: DefaultTimeout.
	Timeout time.Duration
}

// Problem is something wrong with a server.
type Problem struct {
	Path string // of the server's field, as it is configured, such as "bearer_token"
	Text string // what, and the way out; secrets are not in it
}

// Check returns what is wrong with a server. What the secrets are does not matter, only whether they are there.
func (s Server) Check() []Problem {
	var problems []Problem
	fail := func(path, text string) { problems = append(problems, Problem{Path: path, Text: text}) }
	if u, err := url.Parse(s.URL); err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		fail("url", "not a URL such as http://10.0.0.9:9090") // its text may hold a secret
	} else {
		if u.User != nil {
			fail("url", "a name and password have no place in the URL: write them as username and password")
		}
		if strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v1") || strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v1/query") {
			fail("url", "leave out /api/v1 and what is behind it: it is added to the URL")
		}
	}
	if s.BearerToken != "" && (s.Username != "" || s.Password != "") {
		fail("bearer_token", "a request has one Authorization: leave out the token, or username and password")
	}
	if s.Username == "" && s.Password != "" {
		fail("username", "there is a password without a username: name the user, or leave out the password")
	}
	if s.Timeout < 0 || s.Timeout > maxTimeout {
		fail("timeout", fmt.Sprintf("%s is out of range: from 1ms to %s", s.Timeout.String(), maxTimeout.String()))
	}
	return problems
}

// CheckToken returns what is wrong with a bearer token, without showing it (RFC 6750, section 2.1).
func CheckToken(token string) error {
	for i := 0; i < len(token); i++ {
		if token[i] <= ' ' || token[i] > '~' {
			return errors.New("the token contains what no token can, such as a space or the end of a line")
		}
	}
	if token == "" {
		return errors.New("the token is empty")
	}
	return nil
}

// endpoint returns where instant queries are posted to.
func (s Server) endpoint() (string, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", errors.New("its URL is none")
	}
	return u.JoinPath("api", "v1", "query").String(), nil
}

// timeout returns the bound of one query.
func (s Server) timeout() time.Duration {
	if s.Timeout == 0 {
		return DefaultTimeout
	}
	return s.Timeout
}
