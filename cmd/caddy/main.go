// Command caddy is the stock Caddy web server with the rollout module built in:
// what "xcaddy build --with github.com/grayling-gateway/grayling/caddymodule" produces.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/grayling-gateway/grayling/caddymodule"
)

func main() { caddycmd.Main() }
