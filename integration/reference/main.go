// Command reference writes the reference pages of the documentation: from the comments of the Go code, and from the
// commands that the command line knows. A test says when they are not current.
//
//	go run ./reference
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// folder holds the pages, below the checkout.
const folder = "docs/reference"

func main() {
	if err := run(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes all pages of a checkout.
func run(checkout string) error {
	all, err := pages(checkout)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(checkout, folder), 0o755); err != nil { //nolint:gosec // a folder of the documentation
		return err
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(checkout, folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // a page of the documentation
			return err
		}
	}
	return nil
}

// pages returns what the pages of a checkout say when they are current, by their names.
func pages(checkout string) (map[string]string, error) {
	code, err := read(checkout, "core", "core/analysis", "core/control", "core/expr", "core/goal", "core/mirror", "core/rollout", "caddymodule")
	if err != nil {
		return nil, err
	}
	all := map[string]string{"commands.md": commands()}
	for name, page := range described {
		text, err := page.text(code)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = text
	}
	return all, nil
}

// described are the pages about what is written and read as JSON, YAML or TOML.
var described = map[string]page{
	"caddy.md": {
		title: "Caddy's JSON",
		introduction: "Everything that [Caddy's configuration](../caddy.md) can say of rollouts, as JSON. The Caddyfile has the same settings " +
			"as [directives](../caddy.md), and `caddy adapt` shows what they become.",
		roots: []root{
			{"caddymodule.Handler", "The handler `rollout`", "In a route: `{\"handler\": \"rollout\", ...}`."},
			{"caddymodule.App", "The app `rollouts`", "Beside the app `http`: `{\"apps\": {\"rollouts\": {...}}}`."},
			{"caddymodule.Policy", "The selection policy `rollout`", "In any `reverse_proxy`: `{\"load_balancing\": {\"selection_policy\": {\"policy\": \"rollout\", ...}}}`."},
			{"caddymodule.Dashboard", "The handler `rollout_dashboard`", "In a route: `{\"handler\": \"rollout_dashboard\", ...}`."},
		},
		key: jsonKey,
	},
	"traefik.md": {
		title: "Traefik's fields",
		introduction: "Everything that a middleware of [the plugin](../traefik.md) can be configured with, in YAML; TOML and labels have the same keys. " +
			"Upper and lower case do not matter.",
		roots: []root{{"core.Config", "A middleware", "Below the plugin's name: `plugin: {grayling: {...}}`."}},
		key:   camelKey,
	},
	"api.md": {
		title:        "The control API's JSON",
		introduction: "What [the control API](../control.md) answers. Times are RFC 3339, and durations are numbers of nanoseconds.",
		roots: []root{
			{"core.Status", "A rollout", "`GET /rollouts/{name}`, and each item of `rollouts` of `GET /rollouts`."},
			{"rollout.Event", "An event", "`GET /rollouts/{name}/events`, and what webhooks are told."},
			{"core.Point", "A point", "Each item of `points` of `GET /rollouts/{name}/series`."},
			{"core.Explanation", "An explanation", "`POST /rollouts/{name}/explain`."},
			{"goal.Results", "Results", "Each item of `results` of `GET /rollouts/{name}/results`."},
			{"mirror.Report", "A mirror", "Each item of `mirrors` of `GET /rollouts/{name}/mirror`."},
		},
		key:   jsonKey,
		plain: true,
	},
}
