package identity

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// FuzzVerify: nothing panics, and what is accepted was signed.
func FuzzVerify(f *testing.F) {
	s := testSigners(f)
	v := verifier(f, Settings{}, everyKey(s)...)
	v.Claim("a.b")
	signed := map[string]bool{}
	for _, name := range names {
		token := s.token(f, name, claims(`,"a":{"b":[1,"x"]}`))
		signed[token] = true
		f.Add(token)
	}
	for _, vector := range vectors {
		f.Add(vector.token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, cause := Verify(v, token, now); cause == Verified && !signed[token] {
			t.Errorf("accepted %q", token)
		}
	})
}

// FuzzClaims: whatever an issuer signs, reading it does not panic.
func FuzzClaims(f *testing.F) {
	s := testSigners(f)
	v := verifier(f, Settings{Issuer: "x", Audience: []string{"y"}}, s.jwk("HS256", ""))
	v.Claim("a.b")
	v.Claim("scope")
	f.Add(`{"alg":"HS256"}`, claims(`,"iss":"x","aud":["y"],"a":{"b":[1,"x"]},"scope":"r w"`))
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := s.sign(t, "HS256", header, payload)
		read, cause := Verify(v, token, now)
		again, second := Verify(v, token, now)
		if cause != second || fmt.Sprint(read) != fmt.Sprint(again) || (cause == Verified) != (len(read) == 2) {
			t.Errorf("%q.%q: %q %v, and then %q %v", header, payload, cause, read, second, again)
		}
	})
}

func FuzzLoadKeys(f *testing.F) {
	s := testSigners(f)
	f.Add([]byte(set(everyKey(s)...)))
	for _, vector := range vectors {
		f.Add([]byte(set(vector.key)))
	}
	var tokens []string
	for _, name := range names {
		tokens = append(tokens, s.token(f, name, claims("")))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		v := New(Settings{})
		if err := v.LoadKeys(content); err != nil {
			return
		}
		for _, token := range tokens {
			_, _ = Verify(v, token, now) // the keys may be any
		}
	})
}

// TestConcurrent verifies while keys change, for the race detector.
func TestConcurrent(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{}, everyKey(s)...)
	token := s.token(t, "ES256", claims(""))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if _, cause := Verify(v, token, now); cause != Verified {
					t.Errorf("%q", cause)
				}
			}
		})
	}
	for i := range 20 {
		if err := v.LoadKeys([]byte(set(everyKey(s)...) + strings.Repeat(" ", i))); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestCachedTokenAllocatesNothing(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{Leeway: time.Second}, s.jwk("ES256", ""))
	v.Claim("sub")
	token := s.token(t, "ES256", claims(""))
	if n := testing.AllocsPerRun(100, func() { _, _ = Verify(v, token, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
