package identity

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

const (
	maxKeys      = 100
	maxSetValues = 20 * maxKeys * 10 // members of keys, certificates among them
)

// parseSet reads a JWK set (RFC 7517, section 5). Keys that are of no use here are skipped, as that section asks for; a
// set without any other is an error. What everybody can fetch is public, so a secret in it is not a key.
func parseSet(content []byte, public bool) (keys []*key, skipped []string, err error) {
	set, err := parseObject(content, maxSetValues)
	if err != nil {
		return nil, nil, fmt.Errorf("neither a JWK set nor PEM: %w", err)
	}
	list, ok := set["keys"].([]any)
	if !ok {
		return nil, nil, errors.New(`not a JWK set: it has no list "keys", as in {"keys": [...]}`)
	}
	if len(list) > maxKeys {
		return nil, nil, fmt.Errorf("a JWK set of %d keys: %d are the limit", len(list), maxKeys)
	}
	for i, element := range list {
		k, err := parseJWK(element, public)
		if err != nil {
			skipped = append(skipped, fmt.Sprintf("keys[%d]: %v", i, err))
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		reasons := strings.Join(append(skipped, "it ends there"), "; ")
		return nil, nil, errors.New("the JWK set has no key for signatures: " + reasons)
	}
	return keys, skipped, nil
}

// parseJWK reads a JWK (RFC 7517, section 4).
func parseJWK(element any, public bool) (*key, error) {
	jwk, ok := element.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	if err := checkUse(jwk); err != nil {
		return nil, err
	}
	id, err := keyID(jwk)
	if err != nil {
		return nil, err
	}
	material, err := parseMaterial(jwk, public)
	if err != nil {
		return nil, err
	}
	k, err := newKey(material)
	if err != nil {
		return nil, err
	}
	k.id = id
	if _, has := jwk["alg"]; has {
		name := textOf(jwk, "alg")
		if !k.fits(name) {
			return nil, fmt.Errorf("its alg is %s, and it is for %s", quoted(name), strings.Join(k.algorithms, ", "))
		}
		k.algorithms = []string{name}
	}
	return k, nil
}

// checkUse: RFC 7517, sections 4.2 and 4.3.
func checkUse(jwk map[string]any) error {
	if _, has := jwk["use"]; has && textOf(jwk, "use") != "sig" {
		return errors.New("it is not for signatures")
	}
	operations, has := jwk["key_ops"]
	if !has {
		return nil
	}
	list, _ := operations.([]any)
	for _, operation := range list {
		if name, _ := operation.(string); name == "verify" {
			return nil
		}
	}
	return errors.New("it is not for verifying")
}

// keyID returns the "kid" (RFC 7517, section 4.5, and RFC 7515, section 4.1.4) of a key or a header, "" if there is none.
func keyID(object map[string]any) (string, error) {
	value, has := object["kid"]
	if !has {
		return "", nil
	}
	id, ok := value.(string)
	odd := !ok || id == "" || len(id) > 256
	for i := 0; i < len(id) && !odd; i++ {
		odd = id[i] < ' ' || id[i] == 0x7f
	}
	if odd {
		return "", errors.New("its kid is not a text of 1 to 256 bytes without control characters")
	}
	return id, nil
}

// parseMaterial: RFC 7518, section 6, and RFC 8037, section 2.
func parseMaterial(jwk map[string]any, public bool) (any, error) {
	if _, private := jwk["d"]; private {
		return nil, errors.New("a private key: whoever verifies needs the public one only")
	}
	switch textOf(jwk, "kty") {
	case "RSA":
		return rsaKey(jwk)
	case "EC":
		return ecdsaKey(jwk)
	case "OKP":
		return ed25519Key(jwk)
	case "oct":
		if public {
			return nil, errors.New("a secret that the server tells everybody")
		}
		secret, err := bytesOf(jwk, "k")
		return secret, err
	}
	return nil, errors.New("a kty that is unknown here: there are RSA, EC, OKP and oct")
}

// rsaKey: RFC 7518, section 6.3.1.
func rsaKey(jwk map[string]any) (any, error) {
	modulus, err := bytesOf(jwk, "n")
	if err != nil {
		return nil, err
	}
	exponent, err := bytesOf(jwk, "e")
	if err != nil {
		return nil, err
	}
	if len(exponent) > 4 {
		return nil, errors.New("an RSA key whose modulus or exponent cannot be right")
	}
	e := new(big.Int).SetBytes(exponent).Int64()
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e)}, nil
}

// ecdsaKey: RFC 7518, section 6.2.1. Coordinates have the full length of the field, and the point is on the curve (RFC
// 8725, section 3.4).
func ecdsaKey(jwk map[string]any) (any, error) {
	var curve ecdh.Curve
	var size int
	switch textOf(jwk, "crv") {
	case "P-256":
		curve = ecdh.P256()
		size = 32
	case "P-384":
		curve = ecdh.P384()
		size = 48
	case "P-521":
		curve = ecdh.P521()
		size = 66
	default:
		return nil, errors.New("a crv that is unknown here: there are P-256, P-384 and P-521")
	}
	x, err := bytesOf(jwk, "x")
	if err != nil {
		return nil, err
	}
	y, err := bytesOf(jwk, "y")
	if err != nil {
		return nil, err
	}
	if len(x) != size || len(y) != size {
		return nil, fmt.Errorf("a coordinate that has not %d bytes", size)
	}
	point := append([]byte{4}, x...) // uncompressed
	point = append(point, y...)
	public, err := curve.NewPublicKey(point)
	if err != nil {
		return nil, errors.New("an ECDSA key that is no point on its curve")
	}
	return asECDSA(public)
}

// asECDSA turns a point into a key for signatures, the way that does not touch coordinates.
func asECDSA(public *ecdh.PublicKey) (any, error) {
	content, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(content)
	return key, err
}

// ed25519Key: RFC 8037, section 2.
func ed25519Key(jwk map[string]any) (any, error) {
	if textOf(jwk, "crv") != "Ed25519" {
		return nil, errors.New("a crv that is unknown here: there is Ed25519")
	}
	x, err := bytesOf(jwk, "x")
	if err != nil {
		return nil, err
	}
	return ed25519.PublicKey(x), nil
}

// textOf returns a member that is a text, or "".
func textOf(object map[string]any, name string) string {
	text, _ := object[name].(string)
	return text
}

// bytesOf returns a member that is base64url. Errors do not show it: it may be a secret.
func bytesOf(jwk map[string]any, name string) ([]byte, error) {
	text := textOf(jwk, name)
	if text == "" {
		return nil, fmt.Errorf("it has no %q", name)
	}
	content, err := decodeSegment(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return content, nil
}

// quoted shows a text that somebody else chose.
func quoted(text string) string {
	if len(text) > 40 {
		text = text[:40]
	}
	return fmt.Sprintf("%q", text)
}
