package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core/rollout"
)

const (
	// silence is after how long a stream without a sign of life is given up: some heartbeats of the gateway.
	silence = 50 * time.Second

	// patience is for how long a gateway may refuse what it has shown before, as it does for a moment when it starts anew.
	patience = 30 * time.Second

	again = time.Second // between two tries
)

// watcher follows what happens to a rollout.
type watcher struct {
	gateway  *client
	name     string
	until    rollout.State // to wait for; "": nothing
	revision string        // the only one that counts for until; "": any does
	json     bool
	out      io.Writer
	notes    io.Writer // what is no event
	last     int64     // the ID of the last event that was seen
}

func (o *options) watch() *cobra.Command {
	w := &watcher{}
	var until string
	var within time.Duration
	watch := &cobra.Command{
		Use: "watch <name>", Short: "Follow what happens to a rollout",
		Long: `Follow what happens to a rollout, event by event, over restarts of the gateway.

With --until it ends when the rollout is in that state: with the exit code 0, with 4 if the rollout
was rolled back instead, and with 5 when the time of --within is over. With --revision, other
revisions do not count: what was there before a release says nothing about it.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: o.names,
		RunE: func(command *cobra.Command, args []string) error {
			states := []rollout.State{"", rollout.Promoted, rollout.RolledBack, rollout.Paused}
			if w.until = rollout.State(until); !slices.Contains(states, w.until) {
				return fail(exitUsage, "--until: %q is none of promoted, rolled_back and paused", until)
			}
			if w.until == "" && (w.revision != "" || within != 0) {
				return fail(exitUsage, "--revision and --within say what to wait for how long: there is nothing to wait for without --until")
			}
			gateway, err := o.client()
			if err != nil {
				return err
			}
			ctx := command.Context()
			if within != 0 {
				limited, cancel := context.WithTimeoutCause(ctx, within, fail(exitTime, "%s is not %s within %s", args[0], until, within))
				defer cancel()
				ctx = limited
			}
			w.gateway, w.name, w.json, w.out, w.notes = gateway, args[0], o.json, command.OutOrStdout(), command.ErrOrStderr()
			return w.run(ctx)
		},
	}
	watch.Flags().StringVar(&until, "until", "", "end when the rollout is promoted, rolled_back or paused")
	watch.Flags().StringVar(&w.revision, "revision", "", "the only revision that counts for --until (default any)")
	watch.Flags().DurationVar(&within, "within", 0, "how long to wait for --until (default for ever)")
	return watch
}

// run follows the rollout until it is where it is waited for, or the context ends.
func (w *watcher) run(ctx context.Context) error {
	path, err := pathOf(w.name, "events")
	if err != nil {
		return err
	}
	var past history
	if _, err := w.gateway.read(ctx, path, &past); err != nil {
		return w.unless(ctx, err)
	}
	if n := len(past.Events); n > 0 {
		w.last = past.Events[n-1].ID
	}
	var refused time.Time // since when the gateway refuses; zero while it does not
	var noted string
	for first := true; ; first = false {
		done, err := w.follow(ctx, path, first)
		if done {
			return err
		}
		switch {
		case ExitCode(err) != exitRefused:
			refused = time.Time{}
		case refused.IsZero():
			refused = time.Now()
		case time.Since(refused) > patience:
			return err
		}
		if err == nil {
			noted = ""
		} else if ctx.Err() == nil && err.Error() != noted {
			noted = err.Error()
			if _, err := fmt.Fprintln(w.notes, noted+": trying again"); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return w.unless(ctx, err)
		case <-time.After(again):
		}
	}
}

// unless returns the error, unless the context has ended: then that was the reason. To be interrupted is how watching
// ends that waits for nothing.
func (w *watcher) unless(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return err
	case !errors.Is(cause, context.Canceled):
		return cause
	case w.until == "":
		return nil
	}
	return fail(exitRefused, "interrupted before %s was %s", w.name, w.until)
}

// follow shows events until the stream ends, and reports whether the rollout is where it is waited for.
func (w *watcher) follow(ctx context.Context, path string, first bool) (done bool, err error) {
	status, _, err := w.gateway.statusOf(ctx, w.name)
	if err != nil {
		return false, err
	}
	if first && !w.json {
		if _, err := fmt.Fprintln(w.out, sentence(status)); err != nil {
			return true, err // nobody reads
		}
	}
	if done, err := w.reached(rollout.State(status.State), status.Revision); done {
		return true, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(w.gateway.timeout, cancel)
	defer alive.Stop()
	header := http.Header{"Accept": {"text/event-stream"}, "Last-Event-Id": {strconv.FormatInt(w.last, 10)}}
	response, err := w.gateway.request(ctx, http.MethodGet, path, nil, header)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return false, fail(exitRefused, "%s: the answer is no stream of events, but %.100q", w.gateway.name, kind)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		alive.Reset(silence)
		data, ok := strings.CutPrefix(lines.Text(), "data:") // an event has its ID and its kind in there, too
		if !ok {
			continue
		}
		if done, err := w.event([]byte(strings.TrimSpace(data))); done || err != nil {
			return done, err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return false, fail(exitRefused, "an event is no event: %w", err)
	}
	return false, nil // the connection broke off, as they do
}

// event shows an event, and reports whether the rollout is where it is waited for.
func (w *watcher) event(data []byte) (done bool, err error) {
	var e rollout.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return false, fail(exitRefused, "the event is not what a gateway says of a rollout: %w", err)
	}
	w.last = e.ID
	if w.json {
		_, err = fmt.Fprintf(w.out, "%s\n", data)
	} else {
		parts := words(e.Time.Local().Format(time.DateTime), string(e.Kind), fmt.Sprintf("%s, step %d", e.State, e.Step), e.Reason, numbers(e.Figures))
		_, err = fmt.Fprintln(w.out, printable(strings.Join(parts, "  ")))
	}
	if err != nil {
		return true, err // nobody reads
	}
	return w.reached(e.State, e.Revision)
}

// reached reports whether there is nothing more to wait for, and with an error that it will not come.
func (w *watcher) reached(state rollout.State, revision string) (bool, error) {
	switch {
	case w.until == "", w.revision != "" && w.revision != revision:
		return false, nil
	case state == w.until:
		return true, nil
	case state == rollout.RolledBack:
		return true, fail(exitRolledBack, "%s is rolled back", w.name)
	}
	return false, nil
}
