package integration

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/grayling-gateway/grayling/integration/backend"
	"github.com/grayling-gateway/grayling/integration/gateway"
)

// slots is the length of the line that a split divides.
const slots = 65536

// slot is where a key lies on the line: docs/assignment.md in Go, apart from the engine on purpose.
func slot(salt, key string) int {
	sum := sha256.Sum256([]byte(salt + "\x00" + key))
	return int(binary.BigEndian.Uint16(sum[:2]))
}

// users are the first n of user-0, user-1, ... whose slots lie in [from, to).
func users(salt string, from, to, n int) []string {
	var found []string
	for i := 0; len(found) < n; i++ {
		if key := "user-" + strconv.Itoa(i); from <= slot(salt, key) && slot(salt, key) < to {
			found = append(found, key)
		}
	}
	return found
}

// user is the first of users.
func user(salt string, from, to int) string { return users(salt, from, to, 1)[0] }

// land sends one request for each key and returns which backend answered each.
func land(t *testing.T, g *gateway.Gateway, keys []string, target func(key string) (path, user string)) map[string]string {
	t.Helper()
	const clients = 8
	todo := make(chan string)
	landed := make(map[string]string, len(keys))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for key := range todo {
				path, user := target(key)
				name, err := visit(g.Client(), g.URL(path), user)
				if err != nil {
					t.Errorf("key %q: %v", key, err)
				}
				mu.Lock()
				landed[key] = name
				mu.Unlock()
			}
		})
	}
	for _, key := range keys {
		todo <- key
	}
	close(todo)
	wg.Wait()
	return landed
}

// asUser sends the key in X-User, asQuery in ?u= under a path, anonymous nowhere.
func asUser(key string) (path, user string) { return "/", key }

func asQuery(under string) func(string) (string, string) {
	return func(key string) (path, user string) { return under + "?u=" + url.QueryEscape(key), "" }
}

func anonymous(string) (path, user string) { return "/", "" }

// visit GETs address, as user unless it is empty, and returns which backend answered 200.
func visit(client *http.Client, address, user string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	if user != "" {
		req.Header.Set("X-User", user)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, _, err := backend.Sum(resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", statusError(resp.StatusCode)
	}
	return resp.Header.Get("X-Backend"), nil
}

type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// spread is how far a share measured on n independent requests may be off, so that a right gateway
// fails less than once in 10^9 runs (Hoeffding: P <= 2 exp(-2 n spread^2)).
func spread(n int) float64 { return math.Sqrt(math.Log(2e9) / (2 * float64(n))) }

// share is the part of the keys that landed on the backend.
func share(landed map[string]string, backend string) float64 {
	n := 0
	for _, b := range landed {
		if b == backend {
			n++
		}
	}
	return float64(n) / float64(len(landed))
}
