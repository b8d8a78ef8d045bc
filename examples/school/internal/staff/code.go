package staff

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A code is a time-based one-time password (RFC 6238): six digits of HMAC-SHA-1 for 30 seconds. The
// previous and the next code are valid too, for inaccurate clocks and slow typing.
const (
	period = 30
	skew   = 1
)

// Code returns the code of a secret at a time, as an authenticator app shows it.
func Code(secret []byte, at time.Time) string { return codeOf(secret, at.Unix()/period) }

// codeOf returns the code of a time step: the HOTP value of RFC 4226, section 5.3.
func codeOf(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash returns no error
	sum := mac.Sum(nil)
	number := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

// URI returns the URI of a secret that an authenticator app scans.
func URI(email string, secret []byte) string {
	query := url.Values{
		"secret": {strings.TrimRight(base32.StdEncoding.EncodeToString(secret), "=")},
		"issuer": {"pgtenant schools"},
	}
	return "otpauth://totp/" + url.PathEscape("pgtenant schools:"+email) +
		"?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// CheckCode verifies and consumes the code of a logged-in staff member, before an operation that
// cannot be undone. It returns [ErrCode], [ErrThrottled], or an error of the database.
func (s *Staff) CheckCode(ctx context.Context, email, code string) error {
	user, err := s.users.ByEmail(ctx, email)
	if err != nil {
		return err
	}
	// Codes have their own limit, apart from that of logins. Any client can attempt a login, and could
	// otherwise use up the limit of a staff member.
	if err := s.throttle(ctx, "code of "+email); err != nil {
		return err
	}
	step, err := s.step(ctx, user.ID, code)
	if err != nil {
		return err
	}
	if step == 0 || user.Disabled() {
		return ErrCode
	}
	fresh, err := s.use(ctx, user.ID, step)
	if err == nil && !fresh {
		err = ErrCode
	}
	return err
}

// step returns the time step of a code, or 0 if the code is wrong. For a user without a secret it
// uses a random one, so that it takes the same time. [Staff.use] refuses a code that matches it by
// chance.
func (s *Staff) step(ctx context.Context, user int64, code string) (int64, error) {
	secret, err := s.secret(ctx, user)
	if err != nil {
		return 0, err
	}
	code = strings.ReplaceAll(code, " ", "") // apps show it with a space
	now, found := s.now().Unix()/period, int64(0)
	for step := now - skew; step <= now+skew; step++ {
		if subtle.ConstantTimeCompare([]byte(codeOf(secret, step)), []byte(code)) == 1 {
			found = step
		}
	}
	return found, nil
}

func (s *Staff) secret(ctx context.Context, user int64) ([]byte, error) {
	var sealed []byte
	err := s.cfg.Owner.QueryRow(ctx, "select secret from public.staff_codes where user_id = $1", user).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		random := make([]byte, 20)
		_, _ = rand.Read(random) // never fails
		return random, nil
	}
	if err != nil {
		return nil, err
	}
	return s.unseal(user, sealed)
}

// use consumes a time step, unless that step or a later one was used before. It is one statement,
// so that only one of two concurrent uses of a code succeeds.
func (s *Staff) use(ctx context.Context, user, step int64) (bool, error) {
	tag, err := s.cfg.Owner.Exec(ctx,
		"update public.staff_codes set last_step = $2 where user_id = $1 and last_step < $2", user, step)
	return tag.RowsAffected() == 1, err
}

func newSeal(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("staff: key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal encrypts a secret for one user. It cannot be decrypted in the row of another user.
func (s *Staff) seal(user int64, secret []byte) []byte {
	return s.sealed.Seal(nil, nil, secret, binary.BigEndian.AppendUint64(nil, uint64(user)))
}

func (s *Staff) unseal(user int64, sealed []byte) ([]byte, error) {
	secret, err := s.sealed.Open(nil, nil, sealed, binary.BigEndian.AppendUint64(nil, uint64(user)))
	if err != nil {
		return nil, errors.New("staff: a secret is not of this program's key: is it the data directory of another one?")
	}
	return secret, nil
}
