package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // SHA-256
	_ "crypto/sha512" // SHA-384 and SHA-512
	"hash"
	"math/big"
)

// verify reports whether a key made a signature. The algorithm is one that the key fits.
func verify(k *key, algorithm, input string, signature []byte) bool {
	switch material := k.material.(type) {
	case []byte:
		return verifyHMAC(material, hashOf(algorithm), input, signature)
	case *rsa.PublicKey:
		return verifyRSA(material, algorithm, input, signature)
	case *ecdsa.PublicKey:
		return verifyECDSA(material, hashOf(algorithm), input, signature)
	case ed25519.PublicKey: // RFC 8037, section 3.1
		return ed25519.Verify(material, []byte(input), signature)
	}
	return false
}

// hashOf returns the hash that the name of an algorithm ends with (RFC 7518, section 3.1).
func hashOf(algorithm string) crypto.Hash {
	switch algorithm[2:] {
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	}
	return crypto.SHA256
}

func digest(h crypto.Hash, input string) []byte {
	sum := h.New()
	sum.Write([]byte(input))
	return sum.Sum(nil)
}

// verifyHMAC is RFC 7518, section 3.2.
func verifyHMAC(secret []byte, h crypto.Hash, input string, signature []byte) bool {
	mac := hmac.New(func() hash.Hash { return h.New() }, secret)
	mac.Write([]byte(input))
	return hmac.Equal(mac.Sum(nil), signature)
}

// verifyRSA is RFC 7518, sections 3.3 and 3.5. The latter fixes the length of the salt.
func verifyRSA(public *rsa.PublicKey, algorithm, input string, signature []byte) bool {
	h := hashOf(algorithm)
	sum := digest(h, input)
	if algorithm[:2] == "RS" {
		return rsa.VerifyPKCS1v15(public, h, sum, signature) == nil
	}
	return rsa.VerifyPSS(public, h, sum, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

// verifyECDSA is RFC 7518, section 3.4: R and S in as many bytes each as the order of the curve has.
func verifyECDSA(public *ecdsa.PublicKey, h crypto.Hash, input string, signature []byte) bool {
	size := (public.Curve.Params().N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r := new(big.Int).SetBytes(signature[:size])
	s := new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(public, digest(h, input), r, s)
}
