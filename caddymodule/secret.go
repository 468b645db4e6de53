package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/grayling-gateway/grayling/core"
)

// secretKey is where in Caddy's storage the secret lies that signs the cookies of rollouts without one of their own.
const secretKey = "rollouts/cookie_secret"

// cookieSecret returns the secret in Caddy's storage, and makes it if there is none. All Caddys that share a storage have
// the same.
func cookieSecret(ctx caddy.Context) (string, error) {
	storage := ctx.Storage()
	secret, err := storage.Load(ctx, secretKey)
	if !errors.Is(err, fs.ErrNotExist) {
		return string(secret), err
	}
	if err := storage.Lock(ctx, secretKey); err != nil {
		return "", fmt.Errorf("locking Caddy's storage: %w", err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), secretKey) }()
	secret, err = storage.Load(ctx, secretKey) // somebody else may have made it
	if !errors.Is(err, fs.ErrNotExist) {
		return string(secret), err
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails
	made := base64.StdEncoding.EncodeToString(random)
	if err := storage.Store(ctx, secretKey, []byte(made)); err != nil {
		return "", fmt.Errorf("writing to Caddy's storage: %w", err)
	}
	return made, nil
}

// warnOfShownSecrets says which secrets stand in the configuration itself: Caddy's admin API shows it, and keeps a copy of
// it in a file.
func warnOfShownSecrets(config core.Config, log *zap.Logger) {
	const shown = " stands in the configuration, which Caddy's admin API shows: name it, as {env.NAME} or file:/path"
	if slices.ContainsFunc(config.Sticky.Secret, isShown) {
		log.Warn("a secret of cookies"+shown, zap.String("rollout", config.Name))
	}
	if isShown(config.JWT.Secret) {
		log.Warn("the secret of tokens"+shown, zap.String("rollout", config.Name))
	}
}

// isShown reports whether a secret stands there itself.
func isShown(secret string) bool {
	named := strings.HasPrefix(secret, "env:") || strings.HasPrefix(secret, "file:") ||
		strings.HasPrefix(secret, "{env.") || strings.HasPrefix(secret, "{file.")
	return secret != "" && !named
}

// resolved returns a configuration with the values of the placeholders in its secrets, such as {env.SECRET} and
// {file./run/secrets/cookies}. The handler keeps the placeholders, and so does everything that shows its configuration.
func resolved(config core.Config) core.Config {
	replacer := caddy.NewReplacer()
	secrets := config.Sticky.Secret
	config.Sticky.Secret = nil
	for _, secret := range secrets {
		config.Sticky.Secret = append(config.Sticky.Secret, replacer.ReplaceAll(secret, ""))
	}
	config.Router.URL = replacer.ReplaceAll(config.Router.URL, "")
	config.JWT = resolvedJWT(config.JWT, replacer)
	return config
}

// resolvedJWT resolves what may be secret about tokens. A placeholder without a value is no secret, and no reason to do
// without: it stays for the engine to complain about.
func resolvedJWT(jwt core.JWT, replacer *caddy.Replacer) core.JWT {
	if secret := replacer.ReplaceAll(jwt.Secret, ""); secret != "" {
		jwt.Secret = secret
	} else if jwt.Secret != "" {
		jwt.Secret = "env:" + jwt.Secret
	}
	if jwks := replacer.ReplaceAll(jwt.JWKS, ""); jwks != "" {
		jwt.JWKS = jwks
	}
	return jwt
}
