// Package grayling holds the sources of the Traefik plugin, so that a program can show it to a Traefik without a checkout.
package grayling

import "embed"

// Plugin is the module as Traefik's local plugins need it.
//
//go:embed go.mod .traefik.yml core traefikplugin
var Plugin embed.FS
