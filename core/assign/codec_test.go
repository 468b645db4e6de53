package assign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/rand"
	"strings"
	"sync"
	"testing"
)

const (
	secretA = "a secret of thirty-two bytes, or more"
	secretB = "another one, of which the same is true"
)

func codec(t testing.TB, rollout string, secrets ...string) *Codec {
	t.Helper()
	c := NewCodec(rollout)
	for i, secret := range secrets {
		if err := c.SetSecret(i, secret); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func canary() Assignment {
	return Assignment{Variant: "canary", Generation: 0x0123456789abcdef, Expires: 1795262400000}
}

// TestLayout holds a value to its description, byte by byte.
func TestLayout(t *testing.T) {
	value := codec(t, "checkout", secretA).Seal(canary(), "nine byte")
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	payload := "0001" + "01a1fdfa4600" + "0123456789abcdef" + hex.EncodeToString([]byte("nine byte")) + hex.EncodeToString([]byte("canary"))
	if got := hex.EncodeToString(sealed[:len(sealed)-16]); got != payload {
		t.Errorf("the payload is %s, want %s", got, payload)
	}
	mac := hmac.New(sha256.New, []byte(secretA))
	mac.Write([]byte("checkout\x00"))
	mac.Write(sealed[:len(sealed)-16])
	if !hmac.Equal(mac.Sum(nil)[:16], sealed[len(sealed)-16:]) {
		t.Error("the MAC is not that of the description")
	}
	if len(value) > 64 {
		t.Errorf("a value has %d bytes", len(value))
	}
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	c := codec(t, "checkout", secretA)
	random := rand.New(rand.NewSource(7))
	for i := 0; i < 300; i++ {
		a := Assignment{Variant: strings.Repeat("v", random.Intn(65)), Generation: random.Uint64(), Expires: random.Int63n(Never + 1)}
		id := NewID()
		value := c.Seal(a, id)
		if got, gotID, ok := Open(c, value); !ok || got != a || gotID != id {
			t.Fatalf("seed 7: %+v of %q came back as %+v of %q, %v", a, id, got, gotID, ok)
		}
		if len(value) < minValue || len(value) > maxValue {
			t.Fatalf("%d bytes are not between %d and %d", len(value), minValue, maxValue)
		}
	}
}

// TestForgeries: no value is genuine that a codec of the rollout and secret did not return.
func TestForgeries(t *testing.T) {
	c := codec(t, "checkout", secretA)
	value := c.Seal(canary(), NewID())
	refused := func(what, value string) {
		t.Helper()
		if a, _, ok := Open(c, value); ok {
			t.Errorf("%s is taken for genuine: %+v", what, a)
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := 0; i < len(value); i++ {
		refused("a value cut short", value[:i])
		for _, other := range alphabet {
			if byte(other) != value[i] {
				refused("a value with another letter", value[:i]+string(other)+value[i+1:])
			}
		}
	}
	refused("a longer value", value+"A")
	refused("a padded value", value+"=")
	refused("two values", value+value)
	refused("a value with a line's end", value[:10]+"\n"+value[10:])
	refused("a value and a line's end", value+"\r\n")
	refused("8 KiB", strings.Repeat("A", 8<<10))
	refused("a value and 8 KiB", value+strings.Repeat("A", 8<<10))
	refused("another rollout's value", codec(t, "basket", secretA).Seal(canary(), NewID()))
	refused("a value by another secret", codec(t, "checkout", secretB).Seal(canary(), NewID()))
	refused("a value of a longer name", codec(t, "checkout2", secretA).Seal(canary(), NewID()))
	if _, _, ok := Open(c, value); !ok {
		t.Error("the value itself is refused")
	}

	// Signed, but of a layout that is yet to come.
	payload := append([]byte{0, 2}, make([]byte, 40)...)
	signers := c.signers.Load().([]*signer)
	refused("a value of version 2", encoding.EncodeToString(append(payload, mac(c, signers[0], payload)...)))
}

func TestSecretsRotate(t *testing.T) {
	before, both, after := codec(t, "checkout", secretA), codec(t, "checkout", secretB, secretA), codec(t, "checkout", secretB)
	opens := func(c *Codec, value string) bool {
		_, _, ok := Open(c, value)
		return ok
	}
	old, recent := before.Seal(canary(), NewID()), both.Seal(canary(), NewID())
	if !opens(before, old) || !opens(both, old) || opens(after, old) {
		t.Error("a value by the old secret is genuine until that is gone")
	}
	if opens(before, recent) || !opens(both, recent) || !opens(after, recent) {
		t.Error("the first secret does not sign")
	}
	if err := before.SetSecret(0, secretB); err != nil || opens(before, old) || !opens(before, recent) {
		t.Errorf("a secret was not replaced: %v", err)
	}
}

func TestSecretsThatAreTooShort(t *testing.T) {
	c := NewCodec("checkout")
	short := strings.Repeat("s", MinSecret-1)
	if err := c.SetSecret(0, short); err == nil || strings.Contains(err.Error(), short) || !strings.Contains(err.Error(), "31 bytes, and needs 32") {
		t.Errorf("31 bytes: %v", err)
	}
	if value := c.Seal(canary(), NewID()); value != "" {
		t.Errorf("a value without a secret: %q", value)
	}
	if _, _, ok := Open(c, codec(t, "checkout", secretA).Seal(canary(), NewID())); ok {
		t.Error("without a secret a value is genuine")
	}
	if value := codec(t, "checkout", secretA).Seal(Assignment{Variant: strings.Repeat("v", 65)}, NewID()); value != "" {
		t.Errorf("a value for a name that is none: %q", value)
	}
}

// TestSeenValuesAreBounded: however many genuine cookies there are, few are remembered, and all of them count.
func TestSeenValuesAreBounded(t *testing.T) {
	c := codec(t, "checkout", secretA)
	c.count.Store(maxSeen - 50) // as after so many
	first := c.Seal(canary(), NewID())
	for i := 0; i < 200; i++ {
		value := c.Seal(canary(), NewID())
		for k := 0; k < 2; k++ {
			if a, _, ok := Open(c, value); !ok || a != canary() {
				t.Fatalf("value %d is refused", i)
			}
		}
		if _, _, ok := Open(c, first); !ok {
			t.Fatalf("the first value is refused after %d", i)
		}
	}
	remembered := 0
	c.seen.Load().(*sync.Map).Range(func(value, found any) bool {
		remembered++
		return true
	})
	if n := c.count.Load(); n > 200 || remembered > 200 || remembered < 100 {
		t.Errorf("%d are remembered, of which %d are counted", remembered, n)
	}
}

// TestForgeriesAreNotRemembered: what is not genuine takes no room.
func TestForgeriesAreNotRemembered(t *testing.T) {
	c := codec(t, "checkout", secretA)
	other := codec(t, "checkout", secretB)
	for i := 0; i < 100; i++ {
		if _, _, ok := Open(c, other.Seal(canary(), NewID())); ok {
			t.Fatal("a value by another secret is genuine")
		}
	}
	if n := c.count.Load(); n != 0 {
		t.Errorf("%d forgeries are remembered", n)
	}
}

func TestIDsAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for i := 0; i < 1000; i++ {
		id := NewID()
		if len(id) != idSize || seen[id] {
			t.Fatalf("id %d is %q", i, id)
		}
		seen[id] = true
	}
}

func FuzzOpen(f *testing.F) {
	c := codec(f, "checkout", secretA)
	f.Add(c.Seal(canary(), NewID()))
	f.Add("")
	f.Add(strings.Repeat("A", maxValue))
	f.Fuzz(func(t *testing.T, value string) {
		if a, id, ok := Open(c, value); ok && c.Seal(a, id) != value {
			t.Errorf("%q was never sealed", value)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	c := codec(b, "checkout", secretA)
	value := c.Seal(canary(), NewID())
	b.Run("seen before", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			Open(c, value)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			c.verify(value)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	c := codec(b, "checkout", secretA)
	a, id := canary(), NewID()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		c.Seal(a, id)
	}
}
