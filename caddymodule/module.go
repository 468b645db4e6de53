// Package caddymodule is the Caddy host of Grayling.
package caddymodule

import _ "github.com/caddyserver/caddy/v2"
