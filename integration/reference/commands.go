package main

import (
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/grayling-gateway/grayling/command"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands returns the page about the command line.
func commands() string {
	tree := command.New(command.Program{Name: "grayling", Plugin: fstest.MapFS{},
		RunCaddy: func([]byte) (stop func() error, err error) { return nil, errors.ErrUnsupported }}) // for the commands' texts alone
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\n%s\n", generated)
	b.WriteString("`grayling` and `caddy rollout` know the same commands. Flags stand anywhere behind them.\n\n")
	fmt.Fprintf(&b, "```text\n%s\n```\n\n", tree.Long)
	b.WriteString("Flags of all commands that ask a gateway:\n\n")
	flags(&b, tree.PersistentFlags())
	for _, c := range tree.Commands() {
		describe(&b, c)
	}
	return b.String()
}

func describe(b *strings.Builder, c *cobra.Command) {
	if !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", strings.TrimPrefix(c.CommandPath(), "grayling "))
	fmt.Fprintf(b, "```text\n%s\n```\n\n", c.UseLine())
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "%s\n", indented(text))
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteString("\n")
		flags(b, c.LocalNonPersistentFlags())
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", strings.Trim(c.Example, "\n"))
	}
	for _, child := range c.Commands() {
		describe(b, child)
	}
}

// indented returns a text in which lines that begin with spaces, as examples do, are code.
func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}

func flags(b *strings.Builder, set *pflag.FlagSet) {
	b.WriteString("| flag | default | |\n|---|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		spelled := "--" + f.Name
		if f.Shorthand != "" {
			spelled = "-" + f.Shorthand + ", " + spelled
		}
		if name != "" {
			spelled += " " + name
		}
		value := ""
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.ReplaceAll(spelled, "|", "\\|"), value, strings.ReplaceAll(usage, "|", "\\|"))
	})
}
