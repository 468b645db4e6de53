// Package traefikconfig tests how the Traefik plugin is configured: every spelling that Traefik's own decoders read, what
// is wrong in a configuration, secrets, the examples and the pages that show configurations. It runs the real Traefik
// with the plugin interpreted from this checkout, a real etcd, and stands in for the Docker Engine and the Kubernetes API
// from which Traefik reads.
package traefikconfig
