package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// unplugged is a store in memory that can be away.
type unplugged struct {
	store.Store
	mu   sync.Mutex
	away bool
}

func (u *unplugged) plug(in bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.away = !in
}

func (u *unplugged) fault() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.away {
		return errors.New("unplugged")
	}
	return nil
}

func (u *unplugged) Load(ctx context.Context, name string) (store.Document, error) {
	if err := u.fault(); err != nil {
		return store.Document{}, err
	}
	return u.Store.Load(ctx, name)
}

func (u *unplugged) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if err := u.fault(); err != nil {
		return "", err
	}
	return u.Store.Swap(ctx, name, version, content)
}

// secretless is a rollout with cookies that names no secret.
func secretless() Config {
	config := stickyShop()
	config.Sticky.Secret = nil
	return config
}

// kept returns the secret in a store.
func kept(t *testing.T, s store.Store) string {
	t.Helper()
	var r secretRecord
	d, err := s.Load(context.Background(), secretDocument)
	if err == nil && d.Version != "" {
		err = json.Unmarshal(d.Content, &r)
	}
	if err != nil {
		t.Error(err)
	}
	return r.Secret
}

// TestKeptSecret: all gateways with a store sign by the secret that the first one made, whichever of them that is.
func TestKeptSecret(t *testing.T) {
	shared := store.NewMemory()
	var starting sync.WaitGroup
	engines := make([]*Engine, 4)
	start := func(i int) {
		defer starting.Done()
		engines[i] = compile(t, secretless(), nil, Host{Secrets: shared})
	}
	starting.Add(len(engines))
	for i := range engines {
		go start(i)
	}
	starting.Wait()
	b := &browserAt{engine: engines[0], now: noon}
	b.expect(t, "at first", "canary by split*", "X-User: "+low)
	for _, e := range engines {
		b.engine = e
		b.expect(t, "by the secret of all", "canary by assigned", "X-User: "+low)
	}
	b.engine = compile(t, secretless(), nil, Host{Secrets: store.NewMemory()})
	b.expect(t, "elsewhere", "canary by split*", "X-User: "+low)
	if secret := kept(t, shared); len(secret) < 40 {
		t.Errorf("the secret has %d characters", len(secret))
	}
}

// TestKeptSecretAway: without the store clients are divided as ever, and nobody gets a cookie; as soon as the store is
// back they do. A reload while it is away makes no cookie foreign, and no gateway needs the store to start.
func TestKeptSecretAway(t *testing.T) {
	s := &unplugged{Store: store.NewMemory(), away: true}
	logged := &bytes.Buffer{}
	live := NewLive()
	ctx, cancel := context.WithCancel(context.Background())
	b := &browserAt{engine: compile(t, secretless(), live, Host{Secrets: s, Log: slog.New(slog.NewTextHandler(logged, nil))}), now: noon}
	ended := make(chan bool)
	go func() {
		b.engine.Run(ctx)
		close(ended)
	}()
	b.expect(t, "away", "canary by split", "X-User: "+low)
	s.plug(true)
	got := ""
	for began := time.Now(); got != "canary by split*" && time.Since(began) < time.Minute; {
		got = b.asks("X-User: " + low)
		time.Sleep(10 * time.Millisecond)
	}
	b.expect(t, "back", "canary by assigned", "X-User: "+low)
	s.plug(false)
	b.engine = compile(t, secretless(), live, Host{Secrets: s})
	b.expect(t, "reloaded while it is away", "canary by assigned", "X-User: "+low)
	cancel()
	<-ended
	if text := logged.String(); strings.Contains(text, kept(t, s.Store)) || strings.Count(text, "unplugged") > 1 {
		t.Errorf("logged: %s", text)
	}
}

// TestKeptSecretLost: a store that has lost the secret gets it again, one in which another was put changes it here, and
// one that a newer version wrote is left alone.
func TestKeptSecretLost(t *testing.T) {
	s := store.NewMemory()
	e := compile(t, secretless(), nil, Host{Secrets: s})
	secret := kept(t, s)
	newer := `{"format":2,"secrets":["a"]}`
	for _, c := range []struct {
		what, content, want string
		damaged, fails      bool
	}{
		{"there is another", `{"format":1,"secret":"` + strings.Repeat("x", 40) + `"}`, strings.Repeat("x", 40), false, false},
		{"and the first again", `{"format":1,"secret":"` + secret + `"}`, secret, false, false},
		{"too short", `{"format":1,"secret":"hush"}`, secret, true, false},
		{"something else", `[]`, secret, true, false},
		{"of no format", `{"secret":"` + strings.Repeat("x", 40) + `"}`, secret, true, false},
		{"newer", newer, secret, false, true},
	} {
		d, err := s.Load(context.Background(), secretDocument)
		if err == nil {
			_, err = s.Swap(context.Background(), secretDocument, d.Version, []byte(c.content))
		}
		if err != nil {
			t.Fatal(err)
		}
		damage, err := e.sticky.secret.agree(context.Background())
		if damaged := damage != nil; damaged != c.damaged || (err != nil) != c.fails {
			t.Errorf("%s: damage %v, error %v", c.what, damage, err)
		}
		if e.sticky.secret.used != c.want {
			t.Errorf("%s: another secret is used", c.what)
		}
		if now := kept(t, s); !c.fails && now != c.want {
			t.Errorf("%s: the store has another secret", c.what)
		}
	}
	if d, err := s.Load(context.Background(), secretDocument); err != nil || string(d.Content) != newer {
		t.Errorf("what a newer version wrote is %s now, error %v", d.Content, err)
	}
	e.sticky.secret.store = store.NewMemory()
	if _, err := e.sticky.secret.agree(context.Background()); err != nil || kept(t, e.sticky.secret.store) != secret {
		t.Errorf("a store that has lost the secret has another, error %v", err)
	}
}
