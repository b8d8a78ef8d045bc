package erp

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/platformuser"
)

func TestPasswordsAreVerified(t *testing.T) {
	t.Parallel()
	hash, err := HashPassword(t.Context(), "correct horse")
	require.NoError(t, err)
	again, err := HashPassword(t.Context(), "correct horse")
	if assert.NoError(t, err, "two hashes of a password are the same, or %v", err) {
		assert.NotEqual(t, hash.Reveal(), again.Reveal(), "two hashes of a password are the same, or %v", err)
	}
	for password, want := range map[string]error{
		"correct horse": nil, "Correct horse": ErrWrongPassword, "": ErrWrongPassword,
		strings.Repeat("x", 1<<20): ErrWrongPassword,
	} {
		outdated, err := VerifyPassword(t.Context(), hash, password)
		assert.False(t, outdated, "%.20q: %v, %v", password, outdated, err)
		assert.ErrorIs(t, err, want, "%.20q: %v", password, outdated)
	}
	// RFC 9106 has no test vector without a secret. This one is from the reference implementation:
	// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1.
	reference := platformuser.NewPasswordHash(
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	)
	outdated, err := VerifyPassword(t.Context(), reference, "password")
	assert.True(t, outdated, "the reference's hash: %v, %v", outdated, err)
	assert.NoError(t, err, "the reference's hash: %v", outdated)
}

func TestInvalidPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "1234567", "ü234567", strings.Repeat("x", 257), "12345678\xff"} {
		var refused *InputError
		_, err := HashPassword(t.Context(), password)
		if !assert.ErrorAs(t, err, &refused, "%.20q", password) {
			continue
		}
		assert.Equal(t, "password", refused.Fields[0].Field, "%.20q", password)
		if len(password) > 6 {
			assert.False(t, strings.Contains(err.Error(), password), "the error shows %.20q", password)
		}
	}
}

// Hashing is bounded by the number of cores. Other calls wait until their context ends, and the
// number of waiting calls is bounded too. That also holds for unknown accounts: each password,
// right or wrong, waits for its turn.
func TestPasswordHashesAreLimited(t *testing.T) { // not parallel: it uses all turns
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	defer func() {
		for range cap(hashing) {
			<-hashing
		}
	}()
	ended, end := context.WithCancel(t.Context())
	end()
	for _, hash := range []platformuser.PasswordHash{
		{}, platformuser.NewPasswordHash(currentCosts.encode(make([]byte, saltLen), make([]byte, hashLen))),
	} {
		_, err := VerifyPassword(ended, hash, "password")
		assert.ErrorIs(t, err, context.Canceled, "while all cores hash")
	}
	room := int64(cap(hashing) * (maxWaiting + 1))
	waiting.Add(room)
	defer waiting.Add(-room)
	_, err := VerifyPassword(t.Context(), platformuser.PasswordHash{}, "password")
	assert.ErrorIs(t, err, ErrBusy, "with all places taken")
}

// FuzzDecodeHash checks that an accepted hash has bounded costs and is in canonical form.
func FuzzDecodeHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
	f.Fuzz(func(t *testing.T, text string) {
		c, salt, key, err := decodeHash(platformuser.NewPasswordHash(text))
		if err != nil || text == "" {
			return
		}
		if assert.LessOrEqual(t, c.memory, uint32(1<<18), "%q is parsed to %+v", text, c) &&
			assert.LessOrEqual(t, c.time, uint32(16), "%q is parsed to %+v", text, c) &&
			assert.LessOrEqual(t, c.lanes, uint8(16), "%q is parsed to %+v", text, c) &&
			assert.GreaterOrEqual(t, len(key), 16, "%q is parsed to %+v", text, c) {
			assert.Equal(t, text, c.encode(salt, key), "%q is parsed to %+v", text, c)
		}
	})
}
