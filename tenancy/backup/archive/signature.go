package archive

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// signedPrefix precedes the manifest in the signed message, so that the signature is valid in no
// other context.
const signedPrefix = "pgtenant archive manifest 1\n"

// signature is the entry manifest.sig.
type signature struct {
	Algorithm string `json:"algorithm"` // "ed25519"
	Key       string `json:"key"`       // public key, in hexadecimal
	Signature string `json:"signature"` // in hexadecimal
}

// signer returns the public key of a signer.
func signer(key crypto.Signer) (ed25519.PublicKey, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("archive: WriterOptions.SigningKey has a public key of type %T, not Ed25519", key.Public())
	}
	return public, nil
}

func sign(key crypto.Signer, manifest []byte) (signature, error) {
	public, err := signer(key)
	if err != nil {
		return signature{}, err
	}
	message := append([]byte(signedPrefix), manifest...)
	sig, err := key.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return signature{}, fmt.Errorf("sign manifest: %w", err)
	}
	return signature{"ed25519", hex.EncodeToString(public), hex.EncodeToString(sig)}, nil
}

// verify returns the key that signed the manifest. It must be a trusted one if there are trusted
// keys.
func (s signature) verify(manifest []byte, trusted []ed25519.PublicKey) (ed25519.PublicKey, error) {
	key, err := hex.DecodeString(s.Key)
	sig, sigErr := hex.DecodeString(s.Signature)
	if err := errors.Join(err, sigErr); err != nil || s.Algorithm != "ed25519" || len(key) != ed25519.PublicKeySize {
		return nil, &FormatError{Entry: signatureEntry, Reason: "is not an Ed25519 signature", Err: ErrSignature}
	}
	message := append([]byte(signedPrefix), manifest...)
	if !ed25519.Verify(key, message, sig) {
		return nil, &FormatError{Entry: signatureEntry, Reason: "is wrong", Err: ErrSignature}
	}
	isKey := func(k ed25519.PublicKey) bool { return k.Equal(ed25519.PublicKey(key)) }
	if len(trusted) > 0 && !slices.ContainsFunc(trusted, isKey) {
		return nil, &FormatError{Entry: signatureEntry, Reason: "was made with the untrusted key " + s.Key, Err: ErrSignature}
	}
	return key, nil
}
