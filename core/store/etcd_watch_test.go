package store_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestEtcdWatchesRolloutsAlone: what has a name that begins with a dot is in no stream.
func TestEtcdWatchesRolloutsAlone(t *testing.T) {
	fake := newFakeEtcd()
	asked := make(chan fakeRequest, 100)
	fake.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v3/watch" {
			return false
		}
		var request fakeRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		asked <- request
		http.Error(w, "no", http.StatusBadRequest)
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = openEtcd(t, fake.serve(t).URL).Watch(ctx, "a", func(_ store.Document) {})
	request := <-asked
	for key, want := range map[string]bool{
		"/grayling/state/0": true, "/grayling/state/Shop": true, "/grayling/state/z.y": true,
		"/grayling/state/.findings.shop": false, "/grayling/state/.cookie_secret": false, "/grayling/members/a": false,
	} {
		if got := in(key, request.Create.Key, request.Create.RangeEnd); got != want {
			t.Errorf("%s is watched: %t", key, got)
		}
	}
}
