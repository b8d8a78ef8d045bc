package erp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// The length of a password. The minimum is that of NIST SP 800-63B; the maximum keeps hashing
// cheap.
const (
	MinPasswordLen = 8   // characters
	MaxPasswordLen = 256 // bytes
)

var (
	// ErrWrongPassword is returned by [VerifyPassword], and by a login with an unknown address.
	ErrWrongPassword = errors.New("wrong password")

	// ErrBusy is returned by [HashPassword] and [VerifyPassword] if too many calls are waiting.
	ErrBusy = errors.New("too many passwords at once")
)

// argon2id are the costs of a hash.
type argon2id struct {
	memory uint32 // KiB
	time   uint32
	lanes  uint8
}

// currentCosts are the costs that OWASP's Password Storage Cheat Sheet recommends.
var currentCosts = argon2id{memory: 19 * 1024, time: 2, lanes: 1}

const (
	saltLen = 16
	hashLen = 32
)

// HashPassword returns a hash for the database: argon2id in PHC form, with a random salt. If the
// password is too short, too long or not UTF-8, the error is an [InputError].
//
// A hash takes 19 MiB and about 20 ms of a core. One hash runs per core; ctx governs the wait. If
// many calls wait, the error is [ErrBusy], so that a flood of logins does not queue up.
func HashPassword(ctx context.Context, password string) (platformuser.PasswordHash, error) {
	if err := validatePassword(password); err != nil {
		return platformuser.PasswordHash{}, err
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails
	key, err := currentCosts.key(ctx, password, salt, hashLen)
	if err != nil {
		return platformuser.PasswordHash{}, err
	}
	return platformuser.NewPasswordHash(currentCosts.encode(salt, key)), nil
}

// VerifyPassword returns nil if the password has the hash, and [ErrWrongPassword] if not. outdated
// reports whether the hash was made with other costs than [HashPassword] uses, so that the caller
// can replace it.
//
// An empty hash matches no password, and takes as long as any other. A hash that HashPassword
// cannot have made is another error. Otherwise VerifyPassword is like HashPassword.
func VerifyPassword(ctx context.Context, hash platformuser.PasswordHash, password string) (outdated bool, err error) {
	if len(password) > MaxPasswordLen {
		password = "" // never matches; the hash is calculated all the same
	}
	costs, salt, want, err := decodeHash(hash)
	if err != nil {
		return false, err
	}
	got, err := costs.key(ctx, password, salt, uint32(len(want)))
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(got, want) != 1 || hash.Empty() {
		return false, ErrWrongPassword
	}
	return costs != currentCosts, nil
}

func validatePassword(password string) error {
	var r refusals
	switch {
	case utf8.RuneCountInString(password) < MinPasswordLen:
		r.add("password", fmt.Sprintf("is shorter than %d characters", MinPasswordLen))
	case len(password) > MaxPasswordLen:
		r.add("password", fmt.Sprintf("is longer than %d bytes", MaxPasswordLen))
	case !utf8.ValidString(password):
		r.add("password", "is not valid UTF-8")
	}
	return r.err()
}

// One password is hashed per core, and a few wait.
var (
	hashing = make(chan struct{}, runtime.GOMAXPROCS(0))
	waiting atomic.Int64
)

const maxWaiting = 32 // per core: most of a second

// key waits for a free core and derives the key.
func (c argon2id) key(ctx context.Context, password string, salt []byte, length uint32) ([]byte, error) {
	if waiting.Add(1) > int64(cap(hashing)*(maxWaiting+1)) {
		waiting.Add(-1)
		return nil, ErrBusy
	}
	defer waiting.Add(-1)
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
		return argon2.IDKey([]byte(password), salt, c.time, c.memory, c.lanes, length), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const hashFormat = "$argon2id$v=%d$m=%d,t=%d,p=%d$"

func (c argon2id) encode(salt, key []byte) string {
	return fmt.Sprintf(hashFormat, argon2.Version, c.memory, c.time, c.lanes) +
		base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(key)
}

var errBadHash = errors.New("erp: password hash is malformed") // without the hash

// decodeHash is the inverse of encode. It accepts only costs that a server can afford; an empty
// hash has the current costs.
func decodeHash(hash platformuser.PasswordHash) (c argon2id, salt, key []byte, err error) {
	if hash.Empty() {
		return currentCosts, make([]byte, saltLen), make([]byte, hashLen), nil
	}
	parts := strings.Split(hash.Reveal(), "$")
	if len(parts) != 6 {
		return c, nil, nil, errBadHash
	}
	head := strings.Join(parts[:4], "$") + "$"
	var version int
	if _, err := fmt.Sscanf(head, hashFormat, &version, &c.memory, &c.time, &c.lanes); err != nil {
		return c, nil, nil, errBadHash
	}
	salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil {
		return c, nil, nil, errBadHash
	}
	key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	ok := version == argon2.Version && len(salt) >= 8 && len(salt) <= 64 && len(key) >= 16 && len(key) <= 64 &&
		c.memory >= 8 && c.memory <= 1<<18 && c.time >= 1 && c.time <= 16 && c.lanes >= 1 && c.lanes <= 16 &&
		fmt.Sprintf(hashFormat, version, c.memory, c.time, c.lanes) == head
	if err != nil || !ok {
		return c, nil, nil, errBadHash
	}
	return c, salt, key, nil
}
