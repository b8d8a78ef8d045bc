package platformuser

import (
	"fmt"
	"io"
	"log/slog"
)

// PasswordHash is the hash of a password, made by the program with a function such as Argon2id or
// bcrypt. This package treats it as an opaque string. It is "[redacted]" for package fmt with any
// verb, for slog and for encoders. Only [PasswordHash.Reveal] returns it. The zero value is empty:
// no password fits.
type PasswordHash struct {
	hash *string // a pointer, because fmt prints the fields of unexported fields without calling their methods
}

// NewPasswordHash returns hash as a PasswordHash. An empty string is the zero value.
func NewPasswordHash(hash string) PasswordHash {
	if hash == "" {
		return PasswordHash{}
	}
	return PasswordHash{hash: &hash}
}

// Reveal returns the hash as it was given, to compare a password with.
func (h PasswordHash) Reveal() string {
	if h.hash == nil {
		return ""
	}
	return *h.hash
}

// Empty reports whether there is no hash.
func (h PasswordHash) Empty() bool { return h.hash == nil }

const redacted = "[redacted]"

// String returns "[redacted]".
func (h PasswordHash) String() string { return redacted }

// Format writes "[redacted]", whatever the verb.
func (h PasswordHash) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue returns "[redacted]".
func (h PasswordHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", also for JSON.
func (h PasswordHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }
