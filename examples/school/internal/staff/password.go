package staff

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// What a password costs whoever guesses: 19 MiB, twice over, as OWASP has it for Argon2id.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLen    = 32
	saltLen     = 16
	maxPassword = 1024 // bytes
)

// hashing bounds how many are hashed at a time, and so the memory that strangers can ask for.
var hashing = make(chan struct{}, 4)

// nobodys is the hash that a stranger's password is compared with: of random bytes that nobody has kept.
var nobodys = encode(random(saltLen), random(argonLen))

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func hashPassword(ctx context.Context, password string) (string, error) {
	salt := random(saltLen)
	sum, err := derive(ctx, password, salt)
	return encode(salt, sum), err
}

func passwordFits(ctx context.Context, hash, password string) (bool, error) {
	var salt, want []byte
	var memory, time, threads int
	var rest string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=19$m=%d,t=%d,p=%d$%s", &memory, &time, &threads, &rest); err != nil {
		return false, fmt.Errorf("staff: a password hash is not of this program: %w", err)
	}
	const saltText = (saltLen*8 + 5) / 6
	if len(rest) > saltText {
		salt, _ = base64.RawStdEncoding.DecodeString(rest[:saltText])
		want, _ = base64.RawStdEncoding.DecodeString(rest[saltText+1:])
	}
	if len(salt) != saltLen || len(want) != argonLen || len(password) > maxPassword {
		return false, nil
	}
	got, err := derive(ctx, password, salt)
	return subtle.ConstantTimeCompare(got, want) == 1, err
}

func derive(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonLen), nil
}

func encode(salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", argonMemory, argonTime, 1, b64(salt), b64(sum))
}
