package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/command"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{Name: "rollout", Short: "Shows and commands progressive rollouts", CobraFunc: addCommands})
}

// addCommands makes of "caddy rollout" the tree of commands, which talks to the admin API that Caddy's own commands find.
func addCommands(root *cobra.Command) {
	var address, config, adapter string
	root.PersistentFlags().StringVar(&address, "address", "", "the admin API's address (default that of --config, else $CADDY_ADMIN, else localhost:2019)")
	root.PersistentFlags().StringVarP(&config, "config", "c", "", "the configuration that says the address")
	root.PersistentFlags().StringVarP(&adapter, "adapter", "a", "", "the adapter that reads the configuration")
	command.Add(root, command.Program{
		Name: "rollout", Caddy: ValidateConfig, RunCaddy: RunConfig, Exit: exit,
		Server: func() (string, error) {
			found, err := caddycmd.DetermineAdminAPIAddress(address, nil, config, adapter)
			if err != nil {
				return "", err
			}
			return adminURL(found)
		},
		Rehearse: Rehearse,
	})
}

// adminURL is the URL of an admin API at an address of Caddy's notation.
func adminURL(address string) (string, error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.PortRangeSize() > 1 || parsed.IsFdNetwork() {
		return "", fmt.Errorf("%q is not the address of an admin API, such as localhost:2019 or unix//run/caddy.sock", address)
	}
	if parsed.IsUnixNetwork() {
		path, _, _ := strings.Cut(parsed.Host, "|") // the socket's file mode
		return "unix://" + path, nil
	}
	if parsed.Host == "" {
		parsed.Host = "localhost"
	}
	return "http://" + parsed.JoinHostPort(0), nil
}

// exit returns the error with which Caddy ends with an exit code. Caddy knows none of its own for 1.
func exit(command *cobra.Command, code int, err error) error {
	if code == caddy.ExitCodeFailedStartup {
		return err
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(command, nil)
}

// ValidateConfig says what is wrong with a configuration of Caddy's, as "caddy validate" does. An adapter "" is the one
// that the file's name suggests. Logged are warnings, unless the configuration names a level.
func ValidateConfig(file, adapter string) error {
	if err := logFrom("WARN"); err != nil {
		return err
	}
	content, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return err
	}
	var config *caddy.Config
	if err := caddy.StrictUnmarshalJSON(caddy.RemoveMetaFields(content), &config); err != nil {
		return fmt.Errorf("decoding the configuration: %w", err)
	}
	if config == nil {
		return errors.New("there is no configuration in it")
	}
	if config.Logging == nil {
		config.Logging = new(caddy.Logging)
	}
	logs := defaultLog("WARN")
	maps.Copy(logs, config.Logging.Logs)
	if log := logs[caddy.DefaultLoggerName]; log != nil && log.Level == "" {
		log.Level = "WARN"
	}
	config.Logging.Logs = logs
	return caddy.Validate(config)
}

// logFrom has Caddy log what is of a level, or more, until a configuration says otherwise.
func logFrom(level string) error {
	_, err := caddy.ProvisionContext(&caddy.Config{Logging: &caddy.Logging{Logs: defaultLog(level)}})
	return err
}

func defaultLog(level string) map[string]*caddy.CustomLog {
	return map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: level}}}
}
