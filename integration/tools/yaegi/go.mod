module github.com/grayling-gateway/grayling/integration/tools/yaegi

go 1.26.0

// v0.16.1: the interpreter inside Traefik v3.6, which runs our plugin. Raised together with Traefik, never alone.
tool github.com/traefik/yaegi/cmd/yaegi

require github.com/traefik/yaegi v0.16.1 // indirect
