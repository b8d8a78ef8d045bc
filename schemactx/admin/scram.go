package admin

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// scramIterations is the default of PostgreSQL's setting scram_iterations.
const scramIterations = 4096

// scramVerifier returns the text that PostgreSQL stores for a password (RFC 5803, RFC 7677), with a
// random salt. A statement that sets the password can have this text in place of the password. It
// returns an error for a password that is not printable ASCII.
func scramVerifier(password string) (string, error) {
	for _, b := range []byte(password) {
		if b < ' ' || b > '~' {
			return "", errors.New("password holds a character that is not printable ASCII")
		}
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails since Go 1.24
	return scramVerifierSalted(password, salt)
}

// scramVerifierSalted is scramVerifier with a given salt. It does not check the password.
func scramVerifierSalted(password string, salt []byte) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(hmacSHA256(salted, "Client Key"))
	server := hmacSHA256(salted, "Server Key")
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, b64(salt), b64(stored[:]), b64(server)), nil
}

func hmacSHA256(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
