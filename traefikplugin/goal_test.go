package traefikplugin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core"
)

// TestGoalsAreReachedByWhatIsAnswered: who is refused has reached nothing, of a length that is told or not.
func TestGoalsAreReachedByWhatIsAnswered(t *testing.T) {
	config := checkout(t)
	config.Goals = []core.Goal{{Name: "paid", When: `path() == "/thanks"`}}
	handler := start(t, config, func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil {
			t.Error(err)
		}
		if r.URL.Query().Get("length") != "" {
			w.Header().Set("Content-Length", "2")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "ok")
	})
	rollouts.mu.Lock()
	live := rollouts.byName[config.Name].live
	rollouts.mu.Unlock()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		if status, runs := live.Status(); runs && status.State != core.UnknownState {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the rollout does not begin")
		}
	}
	clients := 0
	for _, status := range []string{"200", "302", "400", "402", "499", "500", "503"} {
		for _, length := range []string{"", "&length=2"} {
			clients++
			r := httptest.NewRequest(http.MethodGet, "http://shop.example/thanks?status="+status+length, nil)
			r.Header.Set("Cookie", "uid="+strconv.Itoa(clients))
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	list, has := live.Results()
	if !has || len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	reached := int64(0)
	for _, v := range list[0].Goals[0].Variants {
		reached += v.Reached
	}
	if got := fmt.Sprint(list[0].Clients, " ", reached); got != "14 4" {
		t.Errorf("clients, and those who reached the goal: %s, want 14 4", got)
	}
}
