package traefikconfig

import (
	"strings"
	"testing"
)

// TestErrors gives configurations with mistakes to Traefik, which tells the user what the plugin says of them.
func TestErrors(t *testing.T) {
	t.Parallel()
	p := start(t, "--providers.file.filename="+file(t, "errors.yaml", read(t, "integration/traefikconfig/testdata/errors.yaml")))
	for router, want := range map[string][]string{
		"unknown-keys": {
			`rollout "unknown-keys":`,
			`fallback_methods: unknown key (did you mean "fallbackMethods"?)`,
			`plans: unknown key (did you mean "plan"?)`,
			`plan.min_requests: unknown key (did you mean "minRequests"?)`,
			`notify[0].event: unknown key (did you mean "events"?)`,
			`store.knd: unknown key (did you mean "kind"?)`,
			`prometheus.bearer_token: unknown key (did you mean "bearerToken"?)`,
			`variants[0].wieght: unknown key (did you mean "weight"?)`,
			`rules[0].if: unknown key; there are name, use, percent, when, order`,
			`announce.respond: unknown key (did you mean "response"?)`,
			`variants[0].proxy.passHostHeader: unknown key; there are dialTimeout, responseTimeout, idleTimeout, maxIdle, passHost, http2, resolver, tls`,
			`variants[0].proxy.tls.insecureSkipVerify: unknown key; there are ca, certificate, key, serverName, unsafeSkipVerify`,
			`proxy.max_idle: unknown key (did you mean "maxIdle"?)`,
			`proxy.tls.cert: unknown key; there are ca, certificate, key, serverName, unsafeSkipVerify`,
		},
		"not-a-list": {
			`rules[0].qa: unknown key; there are name, use, percent, when, order; the elements of lists have indexes, as in rules[0], and in a label every dot begins a new level`,
		},
		"expressions": {
			`rules[0].when: column 1: unknown function "heder" (did you mean "header"?)`,
			`rules[1].when: column 1: placeholder`,
			`key[1]: column 1:`,
		},
		"both-modes": {
			`variants[1].upstreams: variant "canary" has no upstreams, but others have: give it some, or leave them out everywhere and lead to services by child routers`,
		},
		"plan": {
			`variants[1].weight: the steps of the plan say what "canary" gets: leave the weight out`,
			`plan.steps[0].weigth: unknown key (did you mean "weight"?)`,
			`plan.steps[0].for: "soon" is not a duration`,
			`plan.checks[0]: column 1: unknown function "error_rat" (did you mean "error_rate"?)`,
			`plan.checks[2]: `,
			`plan.every: "often" is not a duration`,
			`plan.window: "long" is not a duration`,
			`plan.alpha: "50%" is not a percentage from 0.01% to 20%, such as 1%`,
			`plan.onFail: "retry": there are rollback and pause`,
			`plan.deadline: "never" is not a duration`,
			`plan.only[0]: "Mon-Wed", and then "Sat 09:00-17:00": is this one text, cut at its comma, or two?`,
			`plan.only[2]: "at night": `,
			`notify[0].url: `,
			`notify[0].events[0]: unknown event "promotd" (did you mean "promoted"?)`,
			`notify[0].format: `,
			`notify[0].secret: `,
			`store.kind: unknown kind "redis"; there are memory, file and etcd`,
			`prometheus.url: `,
			`prometheus.timeout: 1h is too long: 30s at most`,
		},
		"plan-numbers":    {`plan.steps[0].confirm: `, `plan.steps[1].weight: `, `plan.minRequests: `, `plan.failures: `},
		"unnamed-release": {`revision: a plan has to know what is being released`, `store.path: a file needs a path`},
		"etcd": {
			`store.endpoints[0]: 10.0.0.1:2379: certificates are for https`, `store.endpoints[1]: 10.0.0.2:2379: a name and password have no place`,
			`store.username: a password needs a username`, `store.timeout: "soon" is not a duration`, `store.path: only the kind file has a path`,
			`store.tls.server_name: unknown key (did you mean "serverName"?)`, `store.tls.certificate: a certificate and its key belong together`,
		},
		"control-too": {`control.tokens: unknown key (did you mean "token"?)`, `control: it commands all rollouts of this Traefik and is none itself`},
		"short-token": {`control.token: it has fewer than 16 characters`},
		"wrong-type":  {`cannot parse 'Proxy.MaxIdle' as int`},
	} {
		t.Run(router, func(t *testing.T) {
			got := strings.Join(p.problems(t, router+"@file"), "\n")
			if strings.Contains(got, "hush") {
				t.Errorf("a secret is told:\n%s", got)
			}
			for _, line := range want {
				if !strings.Contains(got+"\n", line) {
					t.Errorf("no line %s in\n%s", line, got)
				}
			}
		})
	}
}

// TestErrorsInLabels shows mistakes that only labels and key-value stores make possible.
func TestErrorsInLabels(t *testing.T) {
	t.Parallel()
	const config = `
		traefik.http.routers.shop.rule=Host(` + "`shop.example`" + `)
		traefik.http.routers.shop.middlewares=shop
		traefik.http.middlewares.shop.plugin.grayling.name=shop
		traefik.http.middlewares.shop.plugin.grayling.variants[0].name=stable
		traefik.http.middlewares.shop.plugin.grayling.rules.qa.use=stable
		traefik.http.middlewares.shop.plugin.grayling.announce.header.request=X-Lane
		traefik.http.middlewares.shop.plugin.grayling.FallbackMethod=GET
		traefik.http.middlewares.shop.plugin.grayling.key=cookie("uid"),query("a
	`
	docker := startDocker(t, container{name: "shop", labels: pairs(t, config)})
	p := start(t, "--providers.docker.endpoint="+docker)
	got := strings.Join(p.problems(t, "shop@docker"), "\n")
	for _, line := range []string{
		`FallbackMethod: unknown key (did you mean "fallbackMethods"?)`,
		`rules[0].qa: unknown key; there are name, use, percent, when, order; the elements of lists have indexes, as in rules[0], and in a label every dot begins a new level`,
		`announce.header: unknown key; there are request, response, baggage, follow; the elements`,
		`key[1]: column 7: string literal not terminated`,
	} {
		if !strings.Contains(got+"\n", line) {
			t.Errorf("no line %s in\n%s", line, got)
		}
	}
}
