package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitRefused     = 1 // the gateway does not do it, or a configuration is invalid
	exitUsage       = 2
	exitUnreachable = 3 // the gateway, or its store, cannot be reached now: another try may do
	exitRolledBack  = 4 // while waiting for another state
	exitTime        = 5 // waited long enough
)

// failure is an error with an exit code of its own.
type failure struct {
	code int
	error
}

func (f failure) Unwrap() error { return f.error }

func fail(code int, format string, args ...any) error {
	return failure{code, fmt.Errorf(format, args...)}
}

// ExitCode returns the code with which a program ends that executed the commands.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if f, ok := errors.AsType[failure](err); ok {
		return f.code
	}
	return exitUsage // what cobra finds out
}

// ends gives all commands below one their ends: errors are shown here, and become what the program ends with.
func ends(command *cobra.Command, exit func(*cobra.Command, int, error) error) {
	end := func(command *cobra.Command, code int, err error) error {
		command.PrintErrln("Error:", err)
		command.SilenceErrors = true
		if exit != nil {
			return exit(command, code, err)
		}
		return failure{code, err}
	}
	usage := func(command *cobra.Command, err error) error {
		return end(command, exitUsage, fmt.Errorf("%w: see %s --help", err, command.CommandPath()))
	}
	command.SetFlagErrorFunc(usage)
	if args := command.Args; args != nil {
		command.Args = func(command *cobra.Command, given []string) error {
			if err := args(command, given); err != nil {
				return usage(command, err)
			}
			return nil
		}
	}
	if run := command.RunE; run != nil {
		command.RunE = func(command *cobra.Command, args []string) error {
			err := run(command, args)
			if err == nil {
				return nil
			}
			if f, ok := errors.AsType[failure](err); ok {
				return end(command, f.code, err)
			}
			return end(command, exitRefused, err)
		}
	}
	for _, child := range command.Commands() {
		ends(child, exit)
	}
}
