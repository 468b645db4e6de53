package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grayling-gateway/grayling/core"
	"github.com/grayling-gateway/grayling/core/rollout"
)

const defaultServer = "http://localhost:2019"

// maxAnswer is more than any answer has: 100 rollouts with 100 events each of 1 KiB.
const maxAnswer = 16 << 20

// options are what all commands have in common: which gateway they talk to, and how.
type options struct {
	server    func() (string, error) // nil: by flag
	url       string                 // of the flag
	tokenFile string
	timeout   time.Duration
	json      bool
}

func (o *options) flags(flags *pflag.FlagSet) {
	if o.server == nil {
		flags.StringVar(&o.url, "server", "", "the gateway's control API: http://, https:// or unix:// (default $GRAYLING_SERVER, or "+defaultServer+")")
		flags.StringVar(&o.tokenFile, "token-file", "", "the file with the token that the gateway wants (default: the token is $GRAYLING_TOKEN)")
	}
	flags.DurationVar(&o.timeout, "timeout", o.timeout, "how long to wait for an answer")
	flags.BoolVar(&o.json, "json", false, "print JSON, as the control API answers it")
}

// client talks to one gateway.
type client struct {
	name    string // for people, without a password
	base    *url.URL
	origin  string // for Caddy, which may insist on one (enforce_origin), but has none behind sockets
	token   string
	timeout time.Duration
	http    *http.Client
}

// client returns what talks to the gateway that the flags, or the environment, name.
func (o *options) client() (*client, error) {
	if o.timeout <= 0 {
		return nil, fail(exitUsage, "--timeout: %s is no time to wait for an answer, such as 10s", o.timeout)
	}
	server, err := o.address()
	if err != nil {
		return nil, failure{exitUsage, err}
	}
	token, err := o.token()
	if err != nil {
		return nil, failure{exitUsage, err}
	}
	dialer := &net.Dialer{Timeout: o.timeout}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: o.timeout}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a token is for nobody else
	c := &client{token: token, timeout: o.timeout, http: &http.Client{Transport: transport, CheckRedirect: stay}}
	if socket, ok := strings.CutPrefix(server, "unix://"); ok {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
		c.name, c.base = server, &url.URL{Scheme: "http", Host: "127.0.0.1"} // Caddy knows this name behind its sockets
		return c, nil
	}
	c.base, err = url.Parse(strings.TrimSuffix(server, "/"))
	if err != nil {
		return nil, fail(exitUsage, "the server is not a URL such as %s or unix:///run/caddy/admin.sock", defaultServer)
	}
	c.name = c.base.Redacted()
	if c.base.Scheme != "http" && c.base.Scheme != "https" || c.base.Host == "" {
		return nil, fail(exitUsage, "the server %.200q is not a URL such as %s or unix:///run/caddy/admin.sock", c.name, defaultServer)
	}
	c.origin = c.base.Scheme + "://" + c.base.Host
	return c, nil
}

func (o *options) address() (string, error) {
	if o.server != nil {
		return o.server()
	}
	for _, server := range []string{o.url, os.Getenv("GRAYLING_SERVER")} {
		if server != "" {
			return server, nil
		}
	}
	return defaultServer, nil
}

func (o *options) token() (string, error) {
	if o.tokenFile == "" {
		if o.server != nil {
			return "", nil // Caddy has no tokens
		}
		return os.Getenv("GRAYLING_TOKEN"), nil
	}
	content, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("--token-file: %s does not hold a token, alone in one line", o.tokenFile)
	}
	return token, nil
}

// request begins a request for what is below /rollouts. The answer's body is to be closed.
func (c *client) request(ctx context.Context, method, path string, body any, header http.Header) (*http.Response, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		content = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath("rollouts", path).String(), bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.origin != "" {
		r.Header.Set("Origin", c.origin)
	}
	response, err := c.http.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // which URL is said here, without a password in it
		}
		return nil, fail(exitUnreachable, "%s: the gateway cannot be reached: %w", c.name, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, c.refusal(response)
	}
	return response, nil
}

// refusal says why the gateway does not answer what it was asked.
func (c *client) refusal(response *http.Response) error {
	content, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // what there is of it will do
	var body struct{ Error, Code string }
	_ = json.Unmarshal(content, &body) // not everybody answers in JSON
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return fail(exitRefused, "%s: the gateway wants a token: give it with --token-file or GRAYLING_TOKEN", c.name)
	case body.Error == "":
		return fail(exitRefused, "%s: answers %s: is that where the gateway is controlled?", c.name, response.Status)
	case body.Code == "away":
		return fail(exitUnreachable, "%s", printable(body.Error))
	}
	return fail(exitRefused, "%s", printable(body.Error))
}

// exchange does a request and returns the answer, which is JSON.
func (c *client) exchange(ctx context.Context, method, path string, body any, header http.Header) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	response, err := c.request(ctx, method, path, body, header)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fail(exitUnreachable, "%s: the gateway's answer breaks off: %w", c.name, err)
	}
	if !json.Valid(content) {
		return nil, fail(exitRefused, "%s: the answer is not JSON: is that where the gateway is controlled?", c.name)
	}
	return content, nil
}

// read reads what is below /rollouts into an answer.
func (c *client) read(ctx context.Context, path string, answer any) (json.RawMessage, error) {
	content, err := c.exchange(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return nil, fail(exitRefused, "%s: the answer is not what a gateway says of rollouts: %w", c.name, err)
	}
	return content, nil
}

// list and history are answers of the control API.
type list struct {
	Rollouts []core.Status `json:"rollouts"`
}

type history struct {
	Events []rollout.Event `json:"events"`
}

// names completes the name of a rollout by those that the gateway has.
func (o *options) names(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	gateway, err := o.client()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	gateway.timeout = min(gateway.timeout, 2*time.Second) // somebody looks at a cursor
	var all list
	if _, err := gateway.read(command.Context(), "", &all); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, status := range all.Rollouts {
		names = append(names, cobra.CompletionWithDesc(status.Name, status.State))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
