package identity

import (
	"fmt"
	"strings"
	"testing"
)

// held is how many tokens a cache holds, and the bytes of their texts.
func held(c *cache) (tokens, size int) {
	for _, generation := range []map[string]*verified{c.recent, c.older} {
		for token := range generation {
			size += len(token)
		}
		tokens += len(generation)
	}
	return tokens, size
}

// lookUp looks where Verify looks.
func lookUp(c *cache, token string) *verified {
	if known := recall(c, token); known != nil {
		return known
	}
	return c.recallOlder(token)
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	for i := 0; i < 2*maxCached; i++ {
		c.add(fmt.Sprint("token ", i), &verified{})
	}
	if tokens, _ := held(&c); tokens > maxCached || tokens < maxCached/2 {
		t.Errorf("%d tokens are held", tokens)
	}
	long := strings.Repeat("x", 1<<19)
	for i := 0; i < 100; i++ {
		c.add(fmt.Sprint("token ", i, long), &verified{})
	}
	if _, size := held(&c); size > maxCachedBytes || size < maxCachedBytes/2 {
		t.Errorf("tokens of %d bytes are held", size)
	}
	c = cache{}
	for i := 0; i < 100; i++ {
		c.add(fmt.Sprint(i), &verified{claims: Claims{nil, []string{long}}})
	}
	if tokens, _ := held(&c); tokens > maxCachedBytes>>19 {
		t.Errorf("%d tokens with long claims are held", tokens)
	}
}

// TestCacheKeepsWhatIsUsed: a token that is asked for outlives any number of others.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	var c cache
	c.add("used", &verified{until: 7})
	c.add("unused", &verified{})
	for i := 0; i < 2*maxCached; i++ {
		c.add(fmt.Sprint("token ", i), &verified{})
		if i%1000 == 0 {
			if known := lookUp(&c, "used"); known == nil || known.until != 7 {
				t.Fatalf("after %d others the used token is %v", i, known)
			}
		}
	}
	if lookUp(&c, "unused") != nil {
		t.Error("an unused token is still there")
	}
}

// TestRefusedTokensLeaveNothing: only what has a right signature, issuer and audience is remembered.
func TestRefusedTokensLeaveNothing(t *testing.T) {
	s := testSigners(t)
	v := verifier(t, Settings{Issuer: "me"}, s.jwk("HS256", ""))
	expect(t, "right", v, s.token(t, "HS256", claims(`,"iss":"me"`)), Verified)
	expect(t, "right but expired", v, s.token(t, "HS256", `{"exp":1,"iss":"me"}`), Expired)
	for i := 0; i < 20; i++ {
		other := &signers{secret: randomBytes(32)}
		expect(t, "forged", v, other.token(t, "HS256", claims(`,"iss":"me"`)), Signature)
		expect(t, "another issuer", v, s.token(t, "HS256", claims(fmt.Sprintf(`,"iss":"x%d"`, i))), Issuer)
		expect(t, "another algorithm", v, s.token(t, "RS256", claims(`,"iss":"me"`)), Algorithm)
	}
	trusted, _ := v.trust.Load().(*trust)
	if tokens, _ := held(&trusted.cache); tokens != 2 {
		t.Errorf("%d tokens are held, want the right one and the expired one", tokens)
	}
}
