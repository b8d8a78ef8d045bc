package erp

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/tenancy/platformuser"
)

func TestPasswordsAreVerified(t *testing.T) {
	t.Parallel()
	hash, err := HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	again, err := HashPassword(t.Context(), "correct horse")
	if err != nil || again.Reveal() == hash.Reveal() {
		t.Errorf("two hashes of a password are the same, or %v", err)
	}
	for password, want := range map[string]error{"correct horse": nil, "Correct horse": ErrWrongPassword, "": ErrWrongPassword, strings.Repeat("x", 1<<20): ErrWrongPassword} {
		if outdated, err := VerifyPassword(t.Context(), hash, password); outdated || !errors.Is(err, want) {
			t.Errorf("%.20q: %v, %v", password, outdated, err)
		}
	}
	// RFC 9106 has no vector without a secret; this one is of the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1.
	reference := platformuser.NewPasswordHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if outdated, err := VerifyPassword(t.Context(), reference, "password"); !outdated || err != nil {
		t.Errorf("the reference's hash: %v, %v", outdated, err)
	}
}

func TestPasswordsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "1234567", "ü234567", strings.Repeat("x", 257), "12345678\xff"} {
		var refused *InputError
		if _, err := HashPassword(t.Context(), password); !errors.As(err, &refused) || refused.Fields[0].Field != "password" {
			t.Errorf("%.20q: %v", password, err)
		} else if len(password) > 6 && strings.Contains(err.Error(), password) {
			t.Errorf("the error shows %.20q", password)
		}
	}
}

// Work is bounded: while all cores hash, others wait, no longer than their context, and no more than there is room for.
// That holds for accounts that are not there as for others: each password, right or wrong, takes its turn.
func TestPasswordsWaitForTheirTurn(t *testing.T) { // not parallel: it takes every turn there is
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
	for _, hash := range []platformuser.PasswordHash{{}, platformuser.NewPasswordHash(currentCosts.encode(make([]byte, saltLen), make([]byte, hashLen)))} {
		if _, err := VerifyPassword(ended, hash, "password"); !errors.Is(err, context.Canceled) {
			t.Errorf("while all cores hash: %v", err)
		}
	}
	room := int64(cap(hashing) * (maxWaiting + 1))
	waiting.Add(room)
	defer waiting.Add(-room)
	if _, err := VerifyPassword(t.Context(), platformuser.PasswordHash{}, "password"); !errors.Is(err, ErrBusy) {
		t.Errorf("with all places taken: %v", err)
	}
}

// FuzzDecodeHash checks that what is read as a hash is bearable, and one that could have been written.
func FuzzDecodeHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
	f.Fuzz(func(t *testing.T, text string) {
		c, salt, key, err := decodeHash(platformuser.NewPasswordHash(text))
		if err != nil || text == "" {
			return
		}
		if c.memory > 1<<18 || c.time > 16 || c.lanes > 16 || len(key) < 16 || c.encode(salt, key) != text {
			t.Errorf("%q is read as %+v", text, c)
		}
	})
}
