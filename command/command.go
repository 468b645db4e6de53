// Package command is the command line of Grayling: one tree of commands, as the program grayling and as "caddy rollout",
// that shows and commands the rollouts of a gateway by its control API, and validates configurations.
package command

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/core"
)

// Program is what the commands are part of.
type Program struct {
	// Name is the command that all others stand behind: grayling, or rollout behind caddy. Required.
	Name string

	// Server returns the URL of the gateway's control API, where the program has ways of its own to know it. Nil: users say
	// it with --server.
	Server func() (string, error)

	// Caddy validates a configuration of Caddy's: one in JSON if there is no adapter. An adapter "" is the one that the
	// file's name suggests. Nil: there are none.
	Caddy func(file, adapter string) error

	// RunCaddy has a Caddy in this process serve a Caddyfile until stop is called. Nil: there is no demo.
	RunCaddy func(caddyfile []byte) (stop func() error, err error)

	// Plugin are the sources of the Traefik plugin. Nil: the demo knows no Traefik.
	Plugin fs.FS

	// Exit returns the error with which the program ends with an exit code, which is not 0, and says nothing more. Nil: see
	// [ExitCode].
	Exit func(command *cobra.Command, code int, err error) error

	// Rehearse returns engines for the rollouts in a configuration of Caddy's, read as Caddy does. Nil: there are none.
	Rehearse func(file, adapter string) ([]*core.Engine, error)
}

// New returns the tree of commands.
func New(program Program) *cobra.Command {
	root := &cobra.Command{}
	Add(root, program)
	return root
}

// Add makes of a command the one that all others stand behind. Flags that it has are theirs, too.
func Add(root *cobra.Command, program Program) {
	root.Use = program.Name
	root.Short = "Show and command progressive rollouts"
	root.Long = `Show and command the progressive rollouts of a gateway, by its control API.

Exit codes: 0 done; 1 refused, or invalid; 2 wrong usage; 3 the gateway, or its store, cannot be
reached now; 4 rolled back while waiting for another state; 5 waited long enough.`
	root.Args = known
	root.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
	root.SilenceUsage = true
	root.SuggestionsMinimumDistance = 2

	o := &options{server: program.Server, timeout: 10 * time.Second}
	o.flags(root.PersistentFlags())
	root.AddCommand(o.status(), o.watch(), o.mirror(), o.results(), o.dashboard(), o.promote(), o.step(), o.weight(), validate(program.Caddy))
	for _, verb := range verbs {
		root.AddCommand(o.plain(verb))
	}
	root.AddCommand(o.explain(program.Rehearse), o.simulate(program.Rehearse))
	if program.RunCaddy != nil {
		root.AddCommand(o.demo(program))
	}
	ends(root, program.Exit)
}

// known refuses what is no command.
func known(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := command.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q (did you mean %q?)", args[0], near[0])
	}
	return fmt.Errorf("unknown command %q", args[0])
}
