package core

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand"
	"sync/atomic"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/await"
	"github.com/grayling-gateway/grayling/core/store"
)

// secretDocument is where a store keeps the secret of cookies. No rollout has such a name.
const secretDocument = ".cookie_secret"

// secretFormat is that of the document. A newer one is left alone.
const secretFormat = 1

// secretRecord is what is in the document.
type secretRecord struct {
	Format int    `json:"format"`
	Secret string `json:"secret"`
}

// keptSecret is the secret in a store by which all gateways with that store sign the cookies of rollouts that name none.
// Who comes first makes it. Until it is known, no cookie is set, and none believed: the split decides, for every client
// as it did before.
type keptSecret struct {
	store store.Store
	codec *assign.Codec

	// known is the secret that the rollout used last, as a string: it outlives engines, so that a reload while the store
	// is away makes nobody's cookie foreign. Nothing before there was one.
	known *atomic.Value
	used  string // by the codec; "" before
}

// use signs by a secret from now on.
func (k *keptSecret) use(secret string) error {
	if secret == k.used {
		return nil
	}
	if err := k.codec.SetSecret(0, secret); err != nil {
		return err
	}
	k.used = secret
	k.known.Store(secret)
	return nil
}

// begin has the secret known, if that can be.
func (k *keptSecret) begin() {
	if known, _ := k.known.Load().(string); known != "" && k.use(known) == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	_, _ = k.agree(ctx) // run tries again, and says what is wrong
}

// agree goes by the secret that the store has, or gives it one: the one that is known here, so that a store that has lost
// it makes nobody's cookie foreign. It returns what was wrong with the one before.
func (k *keptSecret) agree(ctx context.Context) (damage, err error) {
	for i := 0; i < 3; i++ { // others may be faster
		d, err := k.store.Load(ctx, secretDocument)
		if err != nil {
			return damage, err
		}
		if d.Version != "" {
			damage, err = k.take(d.Content)
			if err != nil || damage == nil {
				return nil, err
			}
		}
		err = k.give(ctx, d.Version)
		if !errors.Is(err, store.ErrConflict) {
			return damage, err
		}
	}
	return damage, store.ErrConflict
}

// take uses what is in the document.
func (k *keptSecret) take(content []byte) (damage, err error) {
	var r secretRecord
	if json.Unmarshal(content, &r) == nil && r.Format > secretFormat {
		return nil, fmt.Errorf("it was written by a newer version, and this one knows format %d: use that version, or name a secret", secretFormat)
	}
	if r.Format != secretFormat {
		return errors.New("it is damaged"), nil
	}
	return k.use(r.Secret), nil
}

// give gives the store a secret in the place of a version of the document.
func (k *keptSecret) give(ctx context.Context, version string) error {
	secret := k.used
	if secret == "" {
		random := make([]byte, assign.MinSecret)
		_, _ = rand.Read(random) // it never fails
		secret = base64.StdEncoding.EncodeToString(random)
	}
	content, err := json.Marshal(secretRecord{Format: secretFormat, Secret: secret})
	if err != nil {
		return err
	}
	if _, err := k.store.Swap(ctx, secretDocument, version, content); err != nil {
		return err
	}
	return k.use(secret)
}

// run looks every minute or so what the store has, until the context ends; every second as long as nothing is known.
func (k *keptSecret) run(ctx context.Context, log *slog.Logger, rollout string) {
	last := ""
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, storeTimeout)
		damage, err := k.agree(asking)
		cancel()
		if damage != nil {
			log.Error("the store's secret of cookies is replaced", "rollout", rollout, "error", damage)
		}
		last = k.tell(ctx, log, rollout, err, last)
		pause := time.Second
		if k.used != "" {
			pause = time.Minute
		}
		await.Sleep(ctx, pause+time.Duration(mathrand.Int63n(int64(pause)/2)))
	}
}

// tell logs why there is no secret, once, and that there is one again. It returns what is wrong.
func (k *keptSecret) tell(ctx context.Context, log *slog.Logger, rollout string, err error, last string) string {
	if err == nil {
		if last != "" {
			log.Info("the secret of cookies is known", "rollout", rollout)
		}
		return ""
	}
	if k.used != "" || ctx.Err() != nil || last == err.Error() {
		return last
	}
	log.Error("no cookies are set, because their secret is not known", "rollout", rollout, "error", err)
	return err.Error()
}
