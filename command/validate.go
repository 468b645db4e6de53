package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// validate checks configurations of gateways, and asks none of them.
func validate(caddy func(file, adapter string) error) *cobra.Command {
	var adapter string
	command := &cobra.Command{
		Use: "validate <file>...", Short: "Say what is wrong with configurations",
		Long: `Say what is wrong with configurations, all at once, without a gateway: of Caddy (a Caddyfile, or
JSON), and of Traefik (dynamic configuration in YAML or TOML, and custom resources of Kubernetes).
Of Caddy it is what "caddy validate" says; files that a rollout in Traefik names are not looked for.`,
		Args: heeding(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, files []string) error {
			invalid := 0
			for _, file := range files {
				var problems []string
				if isTraefik(file, adapter) {
					problems = checkTraefik(file)
				} else if caddy == nil {
					return fail(exitUsage, "%s: this program knows no configurations of Caddy", file)
				} else if err := caddy(file, adapter); err != nil {
					problems = []string{file + ": " + strings.TrimPrefix(err.Error(), file+": ")}
				}
				if len(problems) > 0 {
					invalid++
				} else {
					problems = []string{file + ": valid"}
				}
				if _, err := fmt.Fprintln(command.OutOrStdout(), strings.Join(problems, "\n")); err != nil {
					return err
				}
			}
			if invalid > 0 {
				return fail(exitRefused, "%d of %d configurations cannot be used", invalid, len(files))
			}
			return nil
		},
	}
	command.Flags().StringVar(&adapter, "adapter", "", "Caddy's config adapter that reads the file (default by its name)")
	return command
}
