// Package identity holds core/identity to two libraries that the field trusts, go-jose and golang-jwt: on tens of
// thousands of generated and mutated tokens it accepts exactly what both accept, except for what stricter lists.
package identity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/grayling-gateway/grayling/core/identity"
)

const (
	issuer   = "https://login.example"
	audience = "shop"
	leeway   = 30 * time.Second
)

var now = time.Unix(1_800_000_000, 0)

// counts is what a run found.
type counts struct {
	mu       sync.Mutex
	tokens   int
	accepted int
	stricter map[string]int
}

// TestDifferential reports its seed: GRAYLING_SEED repeats a run.
func TestDifferential(t *testing.T) {
	found := &counts{stricter: map[string]int{}}
	t.Run("tokens", func(t *testing.T) {
		for _, algorithm := range algorithms {
			t.Run(algorithm.name, func(t *testing.T) {
				t.Parallel()
				s := newSigner(t, algorithm.name)
				random := rand.New(rand.NewPCG(seed(t), uint64(len(algorithm.name)+algorithm.written)))
				j := newJudges(t, s)
				var pool []string
				for range algorithm.written {
					token := s.sign(t, writeHeader(random, s), writeClaims(random))
					pool = append(pool, token)
					j.compare(t, token, found)
				}
				for range algorithm.mutated {
					j.compare(t, mutate(random, pool), found)
				}
			})
		}
	})
	t.Logf("%d tokens, %d accepted by all; refused only here: %v", found.tokens, found.accepted, found.stricter)
	if found.tokens < 50_000 {
		t.Errorf("%d tokens are too few", found.tokens)
	}
	if found.accepted < found.tokens/20 {
		t.Errorf("only %d of %d tokens were accepted: the test compares refusals", found.accepted, found.tokens)
	}
	for _, s := range stricter {
		if found.stricter[s.what] == 0 {
			t.Errorf("no token was refused only here because of: %s", s.what)
		}
	}
}

// judges are the three implementations, with the same keys and expectations.
type judges struct {
	signer  *signer
	ours    *identity.Verifier
	subject int
	role    int
	jose    []jose.SignatureAlgorithm
	golang  *jwt.Parser
}

func newJudges(t *testing.T, s *signer) *judges {
	t.Helper()
	// The key set comes from go-jose, so what it writes is read too.
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.public, Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	j := &judges{signer: s, ours: identity.New(identity.Settings{Issuer: issuer, Audience: []string{"other", audience}, Leeway: leeway})}
	j.subject, j.role = j.ours.Claim("sub"), j.ours.Claim("role")
	if err := j.ours.LoadKeys(set); err != nil {
		t.Fatal(err)
	}
	for _, name := range s.fits {
		j.jose = append(j.jose, jose.SignatureAlgorithm(name))
	}
	j.golang = jwt.NewParser(jwt.WithValidMethods(s.fits), jwt.WithIssuer(issuer), jwt.WithAudience("other", audience),
		jwt.WithLeeway(leeway), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }))
	return j
}

func (j *judges) joseAccepts(token string) bool {
	parsed, err := josejwt.ParseSigned(token, j.jose)
	if err != nil {
		return false
	}
	var claims josejwt.Claims
	if err := parsed.Claims(j.signer.public, &claims); err != nil {
		return false
	}
	return claims.ValidateWithLeeway(josejwt.Expected{Issuer: issuer, AnyAudience: []string{"other", audience}, Time: now}, leeway) == nil
}

func (j *judges) golangAccepts(token string) (jwt.MapClaims, bool) {
	claims := jwt.MapClaims{}
	_, err := j.golang.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return j.signer.public, nil })
	return claims, err == nil
}

// compare holds the three to the same answer. What is accepted here both libraries accept, without exception.
func (j *judges) compare(t *testing.T, token string, found *counts) {
	t.Helper()
	claims, cause := identity.Verify(j.ours, token, now)
	theirs, golang := j.golangAccepts(token)
	accepted, both := cause == identity.Verified, golang && j.joseAccepts(token)
	found.mu.Lock()
	defer found.mu.Unlock()
	found.tokens++
	switch {
	case accepted && !both:
		t.Errorf("accepted here, and not by both (golang-jwt: %t): %s", golang, show(token))
	case accepted:
		found.accepted++
		compareClaim(t, token, "sub", claims[j.subject], theirs)
		compareClaim(t, token, "role", claims[j.role], theirs)
	case both:
		i := slices.IndexFunc(stricter, func(s strictness) bool { return s.applies(token) })
		if i < 0 {
			t.Errorf("refused here as %q, accepted by both: %s", cause, show(token))
			return
		}
		found.stricter[stricter[i].what]++
	}
}

// compareClaim holds a text that was read here to what golang-jwt read.
func compareClaim(t *testing.T, token, name string, read []string, theirs jwt.MapClaims) {
	t.Helper()
	text, ok := theirs[name].(string)
	if ok != (len(read) == 1) || ok && read[0] != text {
		t.Errorf("%s is %q here and %v there: %s", name, read, theirs[name], show(token))
	}
}

// show decodes a token for a message.
func show(token string) string {
	parts := strings.Split(token, ".")
	for i := range parts[:min(2, len(parts))] {
		if content, err := base64.RawURLEncoding.DecodeString(parts[i]); err == nil {
			parts[i] = fmt.Sprintf("%.300q", content)
		}
	}
	return fmt.Sprintf("%s (%.100q)", strings.Join(parts, "."), token)
}
