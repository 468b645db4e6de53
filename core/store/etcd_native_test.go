package store_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestEtcdSilentWatch: what a watch does not tell is seen all the same, if later.
func TestEtcdSilentWatch(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/watch" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"result":{"created":true}}`+"\n")
		_ = http.NewResponseController(w).Flush()
		fake.change(func() { fake.put("/grayling/state/a", []byte("2")) })
		<-r.Context().Done()
		return true
	}
	e := openEtcd(t, fake.serve(t).URL)
	e.RenewEvery(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := e.Watch(ctx, "a", func(d store.Document) {
		if string(d.Content) == "2" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
