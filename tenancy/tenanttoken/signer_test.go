package tenanttoken_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// key returns a key made of one byte.
func key(b byte) []byte { return bytes.Repeat([]byte{b}, tenanttoken.MinKeyLen) }

func signer(t testing.TB, keys ...[]byte) *tenanttoken.Signer {
	t.Helper()
	if keys == nil {
		keys = [][]byte{key('k')}
	}
	s, err := tenanttoken.NewSigner(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASignedTokenIsVerifiedAsItWas(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for _, want := range []tenanttoken.Token{
		{Purpose: "p"},
		{Purpose: "p", Tenant: 1<<63 - 1, Value: "\x00 any \xff bytes", Expires: time.UnixMilli(time.Now().Add(time.Hour).UnixMilli())},
		{Purpose: tenanttoken.PurposeSession, Tenant: 7, Value: strings.Repeat("v", 3000)},
	} {
		token, err := s.Sign(want)
		require.NoError(t, err)
		got, err := s.Verify(want.Purpose, token)
		require.NoError(t, err)
		if got.Tenant != want.Tenant || got.Value != want.Value || got.Purpose != want.Purpose || !got.Expires.Equal(want.Expires) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || len(token) > tenanttoken.MaxTokenLen {
			t.Errorf("token %q", token)
		}
	}
}

func TestATokenHasOneForm(t *testing.T) {
	t.Parallel()
	s := signer(t)
	token, err := s.Sign(tenanttoken.Token{Purpose: "p", Tenant: 7, Value: "session"})
	require.NoError(t, err)
	expect := func(changed string) {
		t.Helper()
		if _, err := s.Verify("p", changed); !errors.Is(err, tenanttoken.ErrBadToken) {
			t.Errorf("%q: %v", changed, err)
		}
	}
	for i := range token { // every character, to every other
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=\n\r +/." {
			if changed := token[:i] + string(c) + token[i+1:]; changed != token {
				expect(changed)
			}
		}
		expect(token[:i])
		expect(token[i+1:])
		expect(token[:i] + "\n" + token[i:])
	}
	for _, changed := range []string{"", "A", token + "A", token + "=", token + token, " " + token, token + "\r\n", strings.Repeat("A", 1<<20)} {
		expect(changed)
	}
}

// Bits moved from the value into the MAC's place, or a MAC of nothing, must not do.
func TestATokenWithoutACodeIsRefused(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for n := range 120 {
		raw := make([]byte, n)
		if n > 0 {
			raw[0] = 1
		}
		if _, err := s.Verify("p", base64.RawURLEncoding.EncodeToString(raw)); !errors.Is(err, tenanttoken.ErrBadToken) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestATokenOfOnePurposeIsNoneForAnother(t *testing.T) {
	t.Parallel()
	s := signer(t)
	purposes := []tenanttoken.Purpose{"a", "ab", "a\x00", tenanttoken.PurposeSession, tenanttoken.PurposeJob, tenanttoken.PurposeHeader}
	for _, made := range purposes {
		token, err := s.Sign(tenanttoken.Token{Purpose: made, Tenant: 7, Value: "b"})
		require.NoError(t, err)
		for _, wanted := range append(purposes, "") {
			if _, err := s.Verify(wanted, token); (err == nil) != (made == wanted) {
				t.Errorf("made for %q, opened for %q: %v", made, wanted, err)
			}
		}
	}
}

func TestKeysAreChangedWithoutABreak(t *testing.T) {
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
		{during, before, false}, // the first key signs
		{before, after, false},
	} {
		if _, err := c.opened.Verify("p", seal(c.made)); (err == nil) != c.good {
			t.Errorf("want good %v: %v", c.good, err)
		}
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
		if _, err := s.Verify("p", token); !errors.Is(err, want) {
			t.Errorf("%v: %v", expires, err)
		}
	}
}

func TestSignRefusesWhatWouldNotVerify(t *testing.T) {
	t.Parallel()
	s := signer(t)
	for field, token := range map[string]tenanttoken.Token{
		"purpose": {},
		"tenant":  {Purpose: "p", Tenant: -1},
		"expires": {Purpose: "p", Expires: time.Unix(0, 0)},
		"value":   {Purpose: "p", Value: strings.Repeat("v", tenanttoken.MaxTokenLen)},
	} {
		var fieldErr *tenancy.FieldError
		if got, err := s.Sign(token); !errors.As(err, &fieldErr) || fieldErr.Field != field || got != "" {
			t.Errorf("%s: %q, %v", field, got, err)
		}
	}
}

func TestASignerNeedsGoodKeysAndShowsNone(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte("hunter2!"), 4)
	if _, err := tenanttoken.NewSigner(); err == nil {
		t.Error("no key is no error")
	}
	_, err := tenanttoken.NewSigner(secret, secret[:31])
	var field *tenancy.FieldError
	if !errors.As(err, &field) || strings.Contains(err.Error(), "hunter") {
		t.Errorf("short key: %v", err)
	}
	if _, err := (&tenanttoken.Signer{}).Sign(tenanttoken.Token{Purpose: "p"}); err == nil {
		t.Error("a signer without keys signs")
	}
	s := signer(t, secret)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", slog.Any("signer", s))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", slog.Any("signer", s))
	shown := fmt.Sprintf("%v %+v %#v %s %x %d", s, s, s, s, s, s) + fmt.Sprintf("%v %s", *s, struct{ S tenanttoken.Signer }{*s}) + log.String()
	for _, key := range []string{"hunter", fmt.Sprintf("%x", "hunter2!"), "104 117 110", "0x68"} {
		if strings.Contains(shown, key) {
			t.Errorf("shown: %s", shown)
		}
	}
	token, err := s.Sign(tenanttoken.Token{Purpose: "p"})
	require.NoError(t, err)
	secret[0] = 'x' // the caller's slice is not the signer's
	_, err = s.Verify("p", token)
	require.NoError(t, err)
}

func FuzzOpen(f *testing.F) {
	s := signer(f)
	token, err := s.Sign(tenanttoken.Token{Purpose: "p", Tenant: 7, Value: "session"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("")
	f.Add("AQAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, other string) {
		if _, err := s.Verify("p", other); err == nil && other != token {
			t.Errorf("%q opens", other)
		}
	})
}
