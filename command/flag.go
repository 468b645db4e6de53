package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// heeding lets a command have only those of the flags that all commands have in common which it heeds, beside its arguments:
// who gives it another expects something of that.
func heeding(args cobra.PositionalArgs, names ...string) cobra.PositionalArgs {
	return func(command *cobra.Command, given []string) error {
		if err := unheeded(command, names...); err != nil {
			return err
		}
		return args(command, given)
	}
}

// unheeded says which flag, of those that all commands have in common, was given and is none of the named.
func unheeded(command *cobra.Command, names ...string) (err error) {
	command.InheritedFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && !slices.Contains(names, flag.Name) {
			err = fmt.Errorf("%s has no use for --%s", command.Name(), flag.Name)
		}
	})
	return err
}
