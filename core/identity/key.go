package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// key is a secret or a public key.
type key struct {
	id         string // "kid"; "": it fits any
	algorithms []string
	material   any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// fits reports whether a key may be used for an algorithm.
func (k *key) fits(algorithm string) bool {
	for _, a := range k.algorithms {
		if a == algorithm {
			return true
		}
	}
	return false
}

// newKey returns a key for what it can be used for, or says why it is none: the algorithm follows from the key.
func newKey(material any) (*key, error) {
	var list []string
	var err error
	switch m := material.(type) {
	case []byte:
		list, err = secretAlgorithms(m)
	case *rsa.PublicKey:
		list = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		err = checkRSA(m)
	case *ecdsa.PublicKey:
		list, err = curveAlgorithms(m)
	case ed25519.PublicKey:
		list = []string{"EdDSA"}
		if len(m) != ed25519.PublicKeySize {
			err = fmt.Errorf("an Ed25519 key has %d bytes, not %d", ed25519.PublicKeySize, len(m))
		}
	default:
		err = errors.New("a key of a kind that signs no tokens: there are RSA, ECDSA with P-256, P-384 or P-521, Ed25519, and secrets")
	}
	if err != nil {
		return nil, err
	}
	return &key{algorithms: list, material: material}, nil
}

// secretAlgorithms: RFC 7518, section 3.2, wants a secret as long as the hash at least; RFC 8725, section 3.5, says why.
func secretAlgorithms(secret []byte) ([]string, error) {
	switch n := len(secret); {
	case n >= 64:
		return []string{"HS256", "HS384", "HS512"}, nil
	case n >= 48:
		return []string{"HS256", "HS384"}, nil
	case n >= 32:
		return []string{"HS256"}, nil
	}
	return nil, fmt.Errorf("a secret of %d bytes can be guessed: 32 are needed for HS256, 48 for HS384, 64 for HS512", len(secret))
}

// checkRSA: RFC 7518, section 3.3, wants 2048 bits at least. The upper limits bound what a verification costs.
func checkRSA(k *rsa.PublicKey) error {
	bits := k.N.BitLen()
	switch {
	case bits < 2048:
		return fmt.Errorf("an RSA key of %d bits is too weak: 2048 are needed", bits)
	case bits > 8192:
		return fmt.Errorf("an RSA key of %d bits is too slow: 8192 are enough", bits)
	case k.N.Bit(0) == 0 || k.E < 3 || k.E%2 == 0 || k.E > 1<<31-1:
		return errors.New("an RSA key whose modulus or exponent cannot be right")
	}
	return nil
}

// curveAlgorithms: RFC 7518, section 3.4, has one algorithm for each curve. Whoever read the key made sure that it is a
// point on it.
func curveAlgorithms(k *ecdsa.PublicKey) ([]string, error) {
	byCurve := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
	name := byCurve[k.Curve.Params().Name]
	if name == "" {
		return nil, fmt.Errorf("an ECDSA key on the curve %s: there are P-256, P-384 and P-521", k.Curve.Params().Name)
	}
	return []string{name}, nil
}

// parseSecret reads the secret of an HMAC.
func parseSecret(content []byte) (*key, error) {
	if bytes.Contains(content, []byte("-----BEGIN ")) { // RFC 8725, section 2.1: everybody knows a public key
		return nil, errors.New("this is a key in PEM and not a secret: put it in a file, and name that as jwks")
	}
	return newKey(content)
}

// parseKeys reads a JWK set, or keys in PEM. skipped says which keys of a set are of no use here, and why.
func parseKeys(content []byte, public bool) (keys []*key, skipped []string, err error) {
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		keys, err := parsePEM(content)
		return keys, nil, err
	}
	return parseSet(content, public)
}

func parsePEM(content []byte) ([]*key, error) {
	var keys []*key
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			break
		}
		content = rest
		material, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		k, err := newKey(material)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("damaged PEM: there is no whole block in it")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		material, err := x509.ParsePKIXPublicKey(block.Bytes)
		return material, err
	case "RSA PUBLIC KEY":
		material, err := x509.ParsePKCS1PublicKey(block.Bytes)
		return material, err
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, errors.New("a private key: whoever verifies needs the public one only")
	}
	return nil, fmt.Errorf("unknown type %q: there are PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE", block.Type)
}
