package tenanttoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// MinKeyLen is the shortest key of a [Signer], in bytes. Make keys with crypto/rand.
const MinKeyLen = 32

// MaxTokenLen is the longest token that a [Signer] makes or reads, in bytes. It is what a browser
// stores as a cookie.
const MaxTokenLen = 4096

// Purpose names the use of a token. A token of one purpose is not valid for another.
type Purpose string

const (
	PurposeSession Purpose = "pgtenant.session" // [Signer.BindSession]
	PurposeJob     Purpose = "pgtenant.job"     // [Propagator.Inject]
	PurposeHeader  Purpose = "pgtenant.header"  // [Propagator.InjectHeader]
)

// Token is the content of a signed token. It is not encrypted: its holder can read the value.
type Token struct {
	Purpose Purpose   // required
	Tenant  int64     // the tenant's ID, which is never reused; 0: the public site
	Value   string    // any bytes
	Expires time.Time // when it ends, to the millisecond; zero: never
}

// Signer makes tokens that cannot be made or changed without its keys (HMAC-SHA256). It is safe for
// concurrent use. Formatting it with package fmt does not show its keys.
type Signer struct{ keys [][]byte }

// NewSigner returns a signer with keys of at least [MinKeyLen] bytes each. The first key signs;
// tokens of all keys are valid. To change a key, put the new one in front, and remove the old one
// when its last tokens have expired. A key that is too short is a [tenancy.FieldError], which does
// not show the key.
func NewSigner(keys ...[]byte) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errNoKey
	}
	s := &Signer{}
	for i, key := range keys {
		if len(key) < MinKeyLen {
			return nil, &tenancy.FieldError{Field: "keys", Value: strconv.Itoa(i), Rule: "is shorter than 32 bytes"}
		}
		s.keys = append(s.keys, slices.Clone(key))
	}
	return s, nil
}

var errNoKey = errors.New("tenanttoken: signer without a key")

// Format hides the keys, also of a Signer that is not a pointer.
func (Signer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("tenanttoken.Signer")) }

// A decoded token is: version, expiry in milliseconds since 1970 or 0, tenant, value, MAC.
const (
	tokenVersion = 1
	tokenHead    = 1 + 8 + 8
	tokenMin     = tokenHead + sha256.Size
)

// tokenEncoding is safe in cookies, headers and URLs. It is strict, so that a token has one form
// only.
var tokenEncoding = base64.RawURLEncoding.Strict()

// Sign returns t signed, as text of A-Z, a-z, 0-9, - and _. A token without a purpose, with an
// expiry before 1970 or of a negative tenant, and one that would be longer than [MaxTokenLen], is a
// [tenancy.FieldError].
func (s *Signer) Sign(t Token) (string, error) {
	var expires int64
	if !t.Expires.IsZero() {
		expires = t.Expires.UnixMilli()
	}
	switch {
	case s == nil || len(s.keys) == 0:
		return "", errNoKey
	case t.Purpose == "":
		return "", &tenancy.FieldError{Field: "purpose", Rule: "is empty"}
	case t.Tenant < 0:
		return "", &tenancy.FieldError{Field: "tenant", Value: strconv.FormatInt(t.Tenant, 10), Rule: "is negative"}
	case !t.Expires.IsZero() && expires <= 0:
		return "", &tenancy.FieldError{Field: "expires", Value: t.Expires.String(), Rule: "is before 1970"}
	case tokenEncoding.EncodedLen(tokenMin+len(t.Value)) > MaxTokenLen:
		return "", &tenancy.FieldError{
			Field: "value",
			Value: fmt.Sprint(len(t.Value), " bytes"),
			Rule:  "makes a token of more than 4096 bytes",
		}
	}
	body := make([]byte, 0, tokenMin+len(t.Value))
	body = append(body, tokenVersion)
	body = binary.BigEndian.AppendUint64(body, uint64(expires))
	body = binary.BigEndian.AppendUint64(body, uint64(t.Tenant))
	body = append(body, t.Value...)
	return tokenEncoding.EncodeToString(mac(body, s.keys[0], t.Purpose, body)), nil
}

// Verify returns the token that Sign has signed for that purpose. The error is [ErrBadToken], or
// [ErrTokenExpired] for a genuine token after its expiry. The caller has to compare the tenant.
func (s *Signer) Verify(purpose Purpose, token string) (Token, error) {
	if len(token) > MaxTokenLen || strings.ContainsAny(token, "\r\n") { // the decoder skips line breaks
		return Token{}, ErrBadToken
	}
	raw, err := tokenEncoding.DecodeString(token)
	if err != nil || len(raw) < tokenMin || raw[0] != tokenVersion {
		return Token{}, ErrBadToken
	}
	body, sum := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if !slices.ContainsFunc(s.keys, func(key []byte) bool { return hmac.Equal(mac(nil, key, purpose, body), sum) }) {
		return Token{}, ErrBadToken
	}
	t := Token{Purpose: purpose, Tenant: int64(binary.BigEndian.Uint64(body[9:])), Value: string(body[tokenHead:])}
	if ms := int64(binary.BigEndian.Uint64(body[1:])); ms != 0 {
		t.Expires = time.UnixMilli(ms)
		if !time.Now().Before(t.Expires) {
			return Token{}, ErrTokenExpired
		}
	}
	return t, nil
}

// mac appends the MAC of purpose and body to dst. The length of the purpose is part of the input,
// so that two different pairs of purpose and body never have the same input.
func mac(dst, key []byte, purpose Purpose, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	head := binary.BigEndian.AppendUint64(make([]byte, 0, 64), uint64(len(purpose)))
	h.Write(append(head, purpose...))
	h.Write(body)
	return h.Sum(dst)
}
