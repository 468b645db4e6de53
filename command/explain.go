package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core"
)

// question is what somebody wants to have explained, and where.
type question struct {
	core.Question
	rehearsal
	config  string
	headers []string
	claims  string
	match   []string
}

func (o *options) explain(caddy func(file, adapter string) ([]*core.Engine, error)) *cobra.Command {
	q := &question{rehearsal: rehearsal{caddy: caddy}}
	command := &cobra.Command{
		Use: "explain [<name>] <url>", Short: "Say which variant a request gets, and why",
		Long: `Say which variant of a rollout a request gets, and why: what every rule saw, what identifies the
client, where that lies on the line of slots, and what he was assigned. Nothing is counted, assigned
or remembered by it.

The gateway that runs is asked, for its weights, assignments and upstreams; or, with --config, a
configuration of Caddy's or Traefik's without any gateway. Without a name all rollouts are.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: o.names,
		RunE: func(command *cobra.Command, args []string) error {
			name := ""
			if len(args) > 1 {
				name = args[0]
			}
			if err := q.read(args[len(args)-1]); err != nil {
				return err
			}
			ask := o.explainOnline
			if q.config != "" {
				if err := unheeded(command, "json"); err != nil {
					return failure{exitUsage, fmt.Errorf("with --config %w", err)}
				}
				ask = o.explainOffline
			} else if q.state != "" || q.step != 0 || q.adapter != "" {
				return fail(exitUsage, "--state, --step and --adapter are for a configuration: give it with --config")
			}
			return ask(command.Context(), command.OutOrStdout(), name, q)
		},
	}
	flags := command.Flags()
	flags.StringVar(&q.config, "config", "", "a configuration of Caddy's or Traefik's to be asked, and no gateway")
	q.rehearsal.flags(flags)
	flags.StringArrayVarP(&q.headers, "header", "H", nil, `a header of the request, "Name: value"; may be repeated`)
	flags.StringVarP(&q.Method, "request", "X", "", "the request's method (default GET)")
	flags.StringVar(&q.IP, "ip", "", "the client's address, as the gateway resolves it")
	flags.BoolVar(&q.AskRouter, "ask-router", false, "ask the router, if there is one, and not the split in its place")
	flags.StringVar(&q.claims, "claims", "", `claims of a token that counts as verified: '{"sub": "ada"}'`)
	flags.StringToStringVar(&q.Geo, "geo", nil, "where the client is: country=DE,continent=EU")
	flags.StringToStringVar(&q.Placeholders, "placeholder", nil, "values of Caddy's placeholders: http.auth.user.id=ada")
	flags.StringSliceVar(&q.match, "match", nil, "what Caddy's own matchers answer, by the names of their rules: staff or staff=false")
	return command
}

// read makes the question of what the flags say.
func (q *question) read(url string) error {
	q.URL = url
	q.Headers = map[string][]string{}
	for _, header := range q.headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			return fail(exitUsage, `--header: %q is not a header such as "X-Version: v2"`, header)
		}
		q.Headers[name] = append(q.Headers[name], strings.TrimSpace(value))
	}
	if q.claims != "" {
		if !json.Valid([]byte(q.claims)) {
			return fail(exitUsage, `--claims: not JSON such as '{"sub": "ada"}'`)
		}
		q.Claims = json.RawMessage(q.claims)
	}
	q.Match = map[string]bool{}
	for _, match := range q.match {
		name, value, given := strings.Cut(match, "=")
		if given && value != "true" && value != "false" {
			return fail(exitUsage, "--match: %q is neither true nor false", value)
		}
		q.Match[name] = value != "false"
	}
	return nil
}

// explainOffline asks the rollouts of a configuration.
func (o *options) explainOffline(ctx context.Context, out io.Writer, name string, q *question) error {
	engines, err := q.engines(q.config, name)
	if err != nil {
		return err
	}
	for i, e := range engines {
		x, err := e.Explain(ctx, q.Question, time.Now())
		if errors.Is(err, core.ErrQuestion) {
			return fail(exitUsage, "%s: %w", e.Name(), err)
		}
		if err != nil {
			return err
		}
		content, err := json.Marshal(x)
		if err == nil {
			err = o.tellExplanation(out, i, *x, append(content, '\n'))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// explainOnline asks the rollouts of a gateway.
func (o *options) explainOnline(ctx context.Context, out io.Writer, name string, q *question) error {
	gateway, err := o.client()
	if err != nil {
		return err
	}
	names := []string{name}
	if name == "" {
		names = nil
		var all list
		if _, err := gateway.read(ctx, "", &all); err != nil {
			return err
		}
		for _, s := range all.Rollouts {
			names = append(names, s.Name)
		}
		if len(names) == 0 {
			return fail(exitRefused, "%s: no rollout runs there", gateway.name)
		}
	}
	for i, name := range names {
		path, err := pathOf(name, "explain")
		if err != nil {
			return err
		}
		content, err := gateway.exchange(ctx, http.MethodPost, path, q.Question, nil)
		if err != nil {
			return err
		}
		var x core.Explanation
		if err := json.Unmarshal(content, &x); err != nil {
			return fail(exitRefused, "%s: the answer is not an explanation: %w", gateway.name, err)
		}
		if err := o.tellExplanation(out, i, x, content); err != nil {
			return err
		}
	}
	return nil
}

// tellExplanation prints an explanation behind others, in words or as it came.
func (o *options) tellExplanation(out io.Writer, before int, x core.Explanation, content []byte) error {
	if o.json {
		_, err := out.Write(content)
		return err
	}
	text := describeExplanation(x)
	if before > 0 {
		text = "\n" + text
	}
	_, err := fmt.Fprint(out, text)
	return err
}
