package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// fileLock is a process's turn at a file: another file beside it, which exists while somebody has his turn and holds his
// token. It needs nothing that an interpreter, or a network file system, may not have, such as flock.
//
// Who dies in his turn leaves the file behind. So whoever sees the same token for abandonedAfter takes it away. One who
// was only slow learns of that before he replaces anything.
type fileLock struct {
	path  string
	token string
}

const (
	abandonedAfter = 10 * time.Second
	lockEvery      = 10 * time.Millisecond
)

// waiting is what is known of the turn that is waited for. It outlives a wait that was given up: those who wait may have
// less patience than abandonedAfter.
type waiting struct {
	holder string
	since  time.Time // when the holder was seen first; zero before
}

// lock waits for a turn. Caller holds the file's mutex.
func (f *File) lock(ctx context.Context) (*fileLock, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("locking the state: %w", err)
	}
	l := &fileLock{path: f.target() + ".lock", token: hex.EncodeToString(random[:])}
	for {
		err := l.take()
		if err == nil {
			f.waiting = waiting{}
			return l, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("locking the state: %w", err)
		}
		if now := l.holder(); now != f.waiting.holder || f.waiting.since.IsZero() {
			f.waiting = waiting{holder: now, since: time.Now()}
		}
		if time.Since(f.waiting.since) >= abandonedAfter {
			l.evict(f.waiting.holder)
		}
		if !await.Sleep(ctx, lockEvery) {
			return nil, fmt.Errorf("locking the state: %s is there: %w", l.path, ctx.Err())
		}
	}
}

// take makes the file, unless it is there.
func (l *fileLock) take() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(l.token)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(l.path)
	}
	return err
}

// holder returns the token of whoever has his turn; "" if that is nobody, or he has not written it yet.
func (l *fileLock) holder() string {
	token, err := os.ReadFile(l.path)
	if err != nil {
		return ""
	}
	return string(token)
}

func (l *fileLock) held() bool { return l.holder() == l.token }

// evict takes the turn of a holder away who has abandoned it. If another waiter was faster, and it is somebody else's
// turn by now, he gets it back.
func (l *fileLock) evict(holder string) {
	aside := l.path + "-" + l.token
	if os.Rename(l.path, aside) != nil {
		return
	}
	token, err := os.ReadFile(aside)
	if err == nil && string(token) != holder {
		_ = os.Link(aside, l.path) // it fails if it is somebody's turn; who lost his finds out before he replaces anything
	}
	_ = os.Remove(aside)
}

func (l *fileLock) unlock() {
	if l.held() {
		_ = os.Remove(l.path)
	}
}
