package caddymodule

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestSecretOfTokens: placeholders are resolved when a configuration is loaded, and one without a value is an error.
func TestSecretOfTokens(t *testing.T) {
	t.Setenv("GRAYLING_JWT_SECRET", testSecret)
	configured := func(jwt string) (*Handler, error) {
		return load(t, fmt.Sprintf(`{"name": %q, "variants": [{"name": "stable"}], "key": ["claim(\"sub\")"], "jwt": %s}`, unique("tokens"), jwt))
	}
	h, err := configured(`{"secret": "{env.GRAYLING_JWT_SECRET}"}`)
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := json.Marshal(h); err != nil || strings.Contains(string(shown), testSecret) || !strings.Contains(string(shown), "{env.GRAYLING_JWT_SECRET}") {
		t.Errorf("the configuration shows %s", shown)
	}
	for jwt, want := range map[string]string{
		`{"secret": "{env.GRAYLING_NO_SUCH_SECRET_OF_ANY_TOKENS}"}`:                 "jwt.secret: the environment variable {env.GRAYLING_NO_SUCH_SECRET_OF_ANY_TOKENS} is empty",
		`{"secret": "{env.GRAYLING_JWT_SECRET}", "jwks": "{env.GRAYLING_NO_SUCH}"}`: "jwt.jwks: reading a file: stat {env.GRAYLING_NO_SUCH}",
		`{"secret": "hunter2"}`: "jwt.secret: a secret of 7 bytes can be guessed",
		`{"jwsk": "x"}`:         "unknown field",
	} {
		if _, err := configured(jwt); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") && !strings.Contains(jwt, "jwsk") {
			t.Errorf("%s: %v, want %s", jwt, err, want)
		}
	}
}
