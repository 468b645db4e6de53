module github.com/grayling-gateway/grayling/integration/tools/yaegi

go 1.26.0

// v0.16.1: the interpreter inside Traefik v3.6, which runs our plugin. Raised together with Traefik, never alone.
tool github.com/traefik/yaegi/cmd/yaegi

require (
	github.com/mitchellh/mapstructure v1.5.1-0.20231216201459-8508981c8b6c // as in Traefik
	github.com/traefik/yaegi v0.16.1
)
