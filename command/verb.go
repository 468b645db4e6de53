package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core"
)

// verb is a command that says nothing but itself.
type verb struct{ name, short, long string }

var verbs = []verb{
	{"pause", "Keep a rollout in its step", "Keep a rollout in its step, with the weights that it has, until resume. Checks that fail still roll it back."},
	{"resume", "Go on after a pause", "Go on with the step after a pause. Weights that were set by hand are dropped."},
	{"abort", "Roll back now", "Roll back now: from the next request on nobody gets the candidate, not even after it was promoted."},
	{"restart", "Begin the plan anew", "Begin the plan anew at its first step, after a rollback too."},
}

func (o *options) plain(v verb) *cobra.Command {
	return o.command(&cobra.Command{Use: v.name + " <name>", Short: v.short, Long: v.long, Args: cobra.ExactArgs(1)}, func([]string) (any, error) { return nil, nil })
}

func (o *options) promote() *cobra.Command {
	var full bool
	promote := &cobra.Command{
		Use: "promote <name>", Short: "End the step, whatever it waits for",
		Long: `End the step that a rollout is in, whatever it waits for: its time, its checks, somebody's
confirmation. Behind the last step the candidate is promoted.`,
		Args: cobra.ExactArgs(1),
	}
	promote.Flags().BoolVar(&full, "full", false, "go to 100% at once")
	return o.command(promote, func([]string) (any, error) {
		return map[string]any{"full": full}, nil
	})
}

func (o *options) step() *cobra.Command {
	return o.command(&cobra.Command{
		Use: "step <name> <number>", Short: "Go to a step, forward or back",
		Long: "Go to a step of the plan, forward or back. Steps count from 1. A paused rollout stays paused.",
		Args: cobra.ExactArgs(2),
	}, func(args []string) (any, error) {
		number, err := strconv.Atoi(args[0])
		if err != nil {
			return nil, fail(exitUsage, "%q is not the number of a step, which count from 1", args[0])
		}
		return map[string]any{"step": number}, nil
	})
}

func (o *options) weight() *cobra.Command {
	return o.command(&cobra.Command{
		Use: "weight <name> <variant> <percent>", Short: "Give a variant another share of the traffic",
		Long: `Give a variant another share of the traffic, in percent, such as 5%. With a plan this is for a paused
rollout, and lasts until it is resumed; without one, until the configuration declares other weights.
The baseline takes what the others leave.`,
		Args: cobra.ExactArgs(3),
	}, func(args []string) (any, error) {
		return map[string]any{"variant": args[0], "weight": args[1]}, nil
	})
}

// command completes a command about one rollout. Arguments behind its name make the body of the request.
func (o *options) command(command *cobra.Command, body func(args []string) (any, error)) *cobra.Command {
	var version string
	command.Flags().StringVar(&version, "if-version", "", "only if the rollout still has this version, as status shows it")
	command.ValidArgsFunction = o.names
	command.RunE = func(command *cobra.Command, args []string) error {
		content, err := body(args[1:])
		if err != nil {
			return err
		}
		gateway, err := o.client()
		if err != nil {
			return err
		}
		header := http.Header{}
		if version != "" {
			header.Set("If-Match", `"`+version+`"`)
		}
		answer, err := gateway.tell(command.Context(), args[0], command.Name(), content, header)
		if err != nil {
			return err
		}
		out := command.OutOrStdout()
		if o.json {
			_, err := out.Write(answer)
			return err
		}
		var status core.Status
		if err := json.Unmarshal(answer, &status); err != nil {
			return fail(exitRefused, "the answer is not what a gateway says of a rollout: %w", err)
		}
		_, err = fmt.Fprintln(out, sentence(status))
		return err
	}
	return command
}

// tell commands a rollout.
func (c *client) tell(ctx context.Context, name, verb string, body any, header http.Header) (json.RawMessage, error) {
	path, err := pathOf(name, verb)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, http.MethodPost, path, body, header)
}

// tell reads what the gateway knows of a rollout into a value, and writes it: as JSON if that is wanted, else as it is
// described then.
func (o *options) tell(command *cobra.Command, name, what string, into any, describe func() string) error {
	path, err := pathOf(name, what)
	if err != nil {
		return err
	}
	gateway, err := o.client()
	if err != nil {
		return err
	}
	content, err := gateway.read(command.Context(), path, into)
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	if o.json {
		_, err = out.Write(content)
		return err
	}
	_, err = io.WriteString(out, describe())
	return err
}

// pathOf is where something of a rollout is found. Only what can be a rollout's name is put into it.
func pathOf(name, what string) (string, error) {
	for _, char := range name {
		if (char < '0' || char > '9') && (char < 'A' || char > 'Z') && (char < 'a' || char > 'z') && char != '.' && char != '_' && char != '-' {
			return "", fail(exitUsage, "%q is not the name of a rollout", name)
		}
	}
	if name == "" || name[0] == '.' {
		return "", fail(exitUsage, "%q is not the name of a rollout", name)
	}
	return fmt.Sprintf("%s/%s", name, what), nil
}
