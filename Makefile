# Everything here works on a clean clone with Go, make and git. Tools are built once from the modules under
# integration/tools, which pin them, and kept outside the checkout (GRAYLING_CACHE, default the user's cache directory).

.DEFAULT_GOAL := help
ifndef together # steps run one after the other, whatever -j says, but for those that are meant to run together
.NOTPARALLEL:
endif
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

tool = $$($(CURDIR)/integration/tools/build.sh $(1))
step = @printf '\n==> %s\n' "$(1)"

# The code that Yaegi interprets inside Traefik, and all Go modules of this checkout.
interpreted := core $(wildcard traefikplugin)
modules := . integration $(patsubst %/go.mod,%,$(wildcard integration/tools/*/go.mod))

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' Makefile | expand -t 20

.PHONY: build
build: ## build bin/caddy, stock Caddy with the rollout module, and bin/grayling, the command line
	$(call step,build bin/caddy and bin/grayling)
	go build -o bin/ ./cmd/caddy ./cmd/grayling

.PHONY: run
run: build ## serve Caddyfile.example
	bin/caddy run --config Caddyfile.example --adapter caddyfile

# Any Traefik 3.6 or newer; without one it is built, which takes some minutes once.
TRAEFIK = $(call tool,traefik)

.PHONY: run-traefik
run-traefik: build ## serve traefik.example.yaml with TRAEFIK=/path/to/traefik, beside "make run"
	mkdir -p bin/traefik/plugins-local/src/github.com/grayling-gateway
	ln -sfn $(CURDIR) bin/traefik/plugins-local/src/github.com/grayling-gateway/grayling
	cd bin/traefik && ROLLOUTS_TOKEN=only-to-try-it exec $(TRAEFIK) --entryPoints.web.address=localhost:8000 \
		--providers.file.filename=$(CURDIR)/traefik.example.yaml \
		--experimental.localPlugins.grayling.moduleName=github.com/grayling-gateway/grayling

.PHONY: demo
demo: build ## show a rollout of two fake versions on a page
	bin/grayling demo

.PHONY: test
test: packages check test-layers test-code test-integration vuln ## everything that has to pass, cheap first
	@printf '\nmake test: all passed\n'

.PHONY: packages
packages: ## install the programs that tests run (Debian, as root) or say what is missing
	$(call step,programs that the tests need)
	integration/tools/packages.sh

.PHONY: check
check: ## gofmt, go mod tidy and go vet find nothing
	$(call step,gofmt)
	@diff=$$(gofmt -d .) && [[ -z $$diff ]] || { echo "$$diff"; echo 'not formatted: run "make fmt"'; exit 1; }
	$(call step,go mod tidy)
	@for module in $(modules); do \
		go -C $$module mod tidy -diff || { echo "not tidy: run \"go -C $$module mod tidy\""; exit 1; }; \
	done
	$(call step,go vet)
	go vet ./...
	go -C integration vet ./...

.PHONY: test-layers
test-layers: ## who may import whom, and no construct that Yaegi cannot interpret
	$(call step,layers)
	go -C integration test -count=1 ./layers

.PHONY: test-code
test-code: ## the next two and lint at the same time: each alone leaves processors idle; what each says stays together
	@$(MAKE) together=yes --no-print-directory --jobs --output-sync=target test-unit test-yaegi lint

.PHONY: test-unit
test-unit: ## unit tests with the race detector, in a random order, and without it those that it leaves out
	$(call step,unit tests)
	go test -race -vet=off -shuffle=on -timeout=20m ./... # "make check" vets them
	$(call step,unit tests that the race detector leaves out)
	files=$$(go list -race -f '{{range .IgnoredGoFiles}}{{$$.Dir}}/{{.}} {{end}}' ./...); \
		tests=$$(sed -n 's/^func \(Test[^(]*\)(.*/\1/p' $$files); \
		go test -vet=off -shuffle=on -timeout=20m -run "^($${tests//$$'\n'/|})\$$" $$(dirname $$files | sort -u)

.PHONY: test-yaegi
test-yaegi: ## the same tests of core interpreted by Yaegi, as in Traefik
	$(call step,unit tests interpreted by Yaegi)
	integration/tools/yaegi/test.sh $(interpreted)

.PHONY: test-integration
test-integration: build ## scenarios against the real Caddy and the real Traefik, which wait most of the time
	$(call step,tools of the integration tests)
	for name in traefik etcd prometheus promtool yaegi; do integration/tools/build.sh $$name; done
	$(call step,integration tests)
	export GRAYLING_CADDY=$(CURDIR)/bin/caddy GRAYLING_COMMAND=$(CURDIR)/bin/grayling GRAYLING_TRAEFIK=$(call tool,traefik); \
		cd integration && packages=$$(go list ./... | grep -v /layers) && go test -vet=off -count=1 -timeout=40m -parallel=5 $$packages

.PHONY: lint
lint: ## golangci-lint
	$(call step,golangci-lint)
	$(call tool,golangci-lint) run
	cd integration && $(call tool,golangci-lint) run

.PHONY: vuln
vuln: ## known vulnerabilities that the gateway's code reaches
	$(call step,govulncheck)
	integration/tools/govulncheck/check.sh

.PHONY: bench
bench: build ## benchmarks of the engine, compiled and interpreted, and of the real gateways
	$(call step,benchmarks)
	go test -run '^$$' -bench . -benchmem ./core/... ./traefikplugin
	$(call step,the same benchmarks interpreted by Yaegi)
	integration/tools/yaegi/bench.sh core
	integration/tools/yaegi/bench.sh traefikplugin
	$(call step,CPU time per proxied request of the real Caddy and the real Traefik)
	cd integration && go run ./bench -caddy $(CURDIR)/bin/caddy -traefik $(call tool,traefik)
	$(call step,the same as at the edge of a network: TLS and HTTP/2 and an access log and metrics)
	cd integration && go run ./bench -caddy $(CURDIR)/bin/caddy -traefik $(call tool,traefik) -workload edge -rounds 16 -requests 3000 \
		-only plain-again,rollout,rollout-unobserved,builtin,server-again,weighted,layers,service-unobserved,service,proxy

.PHONY: bench-tail
bench-tail: build ## what clients wait for while mirrors misbehave: nine minutes, on a machine that does nothing else
	$(call step,p99 of requests whose copies hang and flood and drip)
	cd integration && go run ./bench -tail -caddy $(CURDIR)/bin/caddy -traefik $(call tool,traefik)

.PHONY: simulate-checks
simulate-checks: ## simulate rollouts, and hold docs/statistics.md to what comes out
	$(call step,2000 rollouts of each kind)
	go -C integration run ./statistics -check ../docs/statistics.md

.PHONY: simulate-fleet
simulate-fleet: ## run a thousand gateways against one etcd: see GATEWAYS, ROLLOUTS, FOR and PAUSE below
	$(call step,a fleet of $(GATEWAYS) gateways)
	go -C integration test -count=1 -v -timeout=1h ./fleetsim -args -gateways $(GATEWAYS) -rollouts $(ROLLOUTS) -for $(FOR) -metered 100 -pause $(PAUSE)

GATEWAYS ?= 1000
ROLLOUTS ?= 10
FOR ?= 20s
PAUSE ?= 1s

.PHONY: reference
reference: ## write docs/reference anew, from the comments of the code
	go -C integration run ./reference

.PHONY: fmt
fmt: ## format the Go code and group its imports
	gofmt -w .
	$(call tool,golangci-lint) fmt

.PHONY: clean
clean: ## remove what was built in the checkout
	rm -rf bin
