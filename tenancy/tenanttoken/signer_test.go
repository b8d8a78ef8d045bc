package tenanttoken_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// key returns a key of equal bytes.
func key(b byte) []byte { return bytes.Repeat([]byte{b}, tenanttoken.MinKeyLen) }

func signer(t testing.TB, keys ...[]byte) *tenanttoken.Signer {
	t.Helper()
	if keys == nil {
		keys = [][]byte{key('k')}
	}
	s, err := tenanttoken.NewSigner(keys...)
	require.NoError(t, err)
	return s
}

func TestVerifyReturnsTheSignedToken(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for _, want := range []tenanttoken.Token{
		{Purpose: "p"},
		{
			Purpose: "p", Tenant: 1<<63 - 1, Value: "\x00 any \xff bytes",
			Expires: time.UnixMilli(time.Now().Add(time.Hour).UnixMilli()),
		},
		{Purpose: tenanttoken.PurposeSession, Tenant: 7, Value: strings.Repeat("v", 3000)},
	} {
		token, err := s.Sign(want)
		require.NoError(t, err)
		got, err := s.Verify(want.Purpose, token)
		require.NoError(t, err)
		if assert.Equal(t, want.Tenant, got.Tenant, "got %+v, want %+v", got, want) &&
			assert.Equal(t, want.Value, got.Value, "got %+v, want %+v", got, want) &&
			assert.Equal(t, want.Purpose, got.Purpose, "got %+v, want %+v", got, want) {
			assert.WithinDuration(t, want.Expires, got.Expires, 0, "got %+v, want %+v", got, want)
		}
		assert.Empty(t, strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
			"token %q", token)
		assert.LessOrEqual(t, len(token), tenanttoken.MaxTokenLen, "token %q", token)
	}
}

func TestTokensHaveOneEncoding(t *testing.T) {
	t.Parallel()
	s := signer(t)
	token, err := s.Sign(tenanttoken.Token{Purpose: "p", Tenant: 7, Value: "session"})
	require.NoError(t, err)
	expect := func(changed string) {
		t.Helper()
		_, err := s.Verify("p", changed)
		assert.ErrorIs(t, err, tenanttoken.ErrBadToken, "%q", changed)
	}
	for i := range token { // replace every character by every other
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=\n\r +/." {
			if changed := token[:i] + string(c) + token[i+1:]; changed != token {
				expect(changed)
			}
		}
		expect(token[:i])
		expect(token[i+1:])
		expect(token[:i] + "\n" + token[i:])
	}
	for _, changed := range []string{
		"", "A", token + "A", token + "=", token + token, " " + token, token + "\r\n", strings.Repeat("A", 1<<20),
	} {
		expect(changed)
	}
}

// Bytes of the value in place of the MAC, or a MAC of nothing, are refused.
func TestTokensWithoutAMACAreRefused(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for n := range 120 {
		raw := make([]byte, n)
		if n > 0 {
			raw[0] = 1
		}
		_, err := s.Verify("p", base64.RawURLEncoding.EncodeToString(raw))
		assert.ErrorIs(t, err, tenanttoken.ErrBadToken, "%d bytes", n)
	}
}

func TestTokensAreBoundToTheirPurpose(t *testing.T) {
	t.Parallel()
	s := signer(t)
	purposes := []tenanttoken.Purpose{
		"a",
		"ab",
		"a\x00",
		tenanttoken.PurposeSession,
		tenanttoken.PurposeJob,
		tenanttoken.PurposeHeader,
	}
	for _, made := range purposes {
		token, err := s.Sign(tenanttoken.Token{Purpose: made, Tenant: 7, Value: "b"})
		require.NoError(t, err)
		for _, wanted := range append(purposes, "") {
			_, err := s.Verify(wanted, token)
			assert.Equal(t, made == wanted, err == nil, "made for %q, opened for %q: %v", made, wanted, err)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	before, during, after := signer(t, key('1')), signer(t, key('2'), key('1')), signer(t, key('2'))
	seal := func(s *tenanttoken.Signer) string {
		token, err := s.Sign(tenanttoken.Token{Purpose: "p"})
		require.NoError(t, err)
		return token
	}
	for _, c := range []struct {
		made, opened *tenanttoken.Signer
		good         bool
	}{
		{before, during, true},
		{during, during, true},
		{during, after, true},
		{during, before, false}, // only the first key signs
		{before, after, false},
	} {
		_, err := c.opened.Verify("p", seal(c.made))
		assert.Equal(t, c.good, err == nil, "want good %v: %v", c.good, err)
	}
}

func TestATokenExpires(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for expires, want := range map[time.Time]error{
		time.Now().Add(-time.Millisecond): tenanttoken.ErrTokenExpired,
		time.UnixMilli(1):                 tenanttoken.ErrTokenExpired,
		time.Now().Add(time.Hour):         nil,
		{}:                                nil,
	} {
		token, err := s.Sign(tenanttoken.Token{Purpose: "p", Expires: expires})
		require.NoError(t, err)
		_, err = s.Verify("p", token)
		assert.ErrorIs(t, err, want, "%v", expires)
	}
}

func TestSignRefusesInvalidTokens(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for field, token := range map[string]tenanttoken.Token{
		"purpose": {},
		"tenant":  {Purpose: "p", Tenant: -1},
		"expires": {Purpose: "p", Expires: time.Unix(0, 0)},
		"value":   {Purpose: "p", Value: strings.Repeat("v", tenanttoken.MaxTokenLen)},
	} {
		var fieldErr *tenancy.FieldError
		got, err := s.Sign(token)
		if assert.ErrorAs(t, err, &fieldErr, "%s: %q", field, got) && assert.Equal(t, field, fieldErr.Field, "%q", got) {
			assert.Empty(t, got)
		}
	}
}

func TestSignerKeys(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte("hunter2!"), 4)
	_, err := tenanttoken.NewSigner()
	assert.Error(t, err, "no key is no error")
	_, err = tenanttoken.NewSigner(secret, secret[:31])
	var field *tenancy.FieldError
	if assert.ErrorAs(t, err, &field, "short key") {
		assert.NotContains(t, err.Error(), "hunter", "short key")
	}
	_, err = (&tenanttoken.Signer{}).Sign(tenanttoken.Token{Purpose: "p"})
	assert.Error(t, err, "a signer without keys signed")
	s := signer(t, secret)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", slog.Any("signer", s))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", slog.Any("signer", s))
	shown := fmt.Sprintf(
		"%v %+v %#v %s %x %d",
		s,
		s,
		s,
		s,
		s,
		s,
	) + fmt.Sprintf(
		"%v %s",
		*s,
		struct{ S tenanttoken.Signer }{*s},
	) + log.String()
	for _, key := range []string{"hunter", fmt.Sprintf("%x", "hunter2!"), "104 117 110", "0x68"} {
		assert.NotContains(t, shown, key)
	}
	token, err := s.Sign(tenanttoken.Token{Purpose: "p"})
	require.NoError(t, err)
	secret[0] = 'x' // the signer has its own copy of the key
	_, err = s.Verify("p", token)
	require.NoError(t, err)
}

func FuzzOpen(f *testing.F) {
	s := signer(f)
	token, err := s.Sign(tenanttoken.Token{Purpose: "p", Tenant: 7, Value: "session"})
	require.NoError(f, err)
	f.Add(token)
	f.Add("")
	f.Add("AQAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, other string) {
		_, err := s.Verify("p", other)
		if err == nil {
			assert.Equal(t, token, other, "%q opens", other)
		}
	})
}
