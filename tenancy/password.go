package tenancy

import (
	"fmt"
	"io"
	"log/slog"
)

// PasswordHash is what the host program makes of a password, with a function such as Argon2id or bcrypt: to this package
// it is an opaque string. It shows itself as "[redacted]" to package fmt with any verb, to slog and to encoders;
// [PasswordHash.Reveal] is the one way to it. The zero value is empty: no password fits.
type PasswordHash struct {
	hash *string // behind a pointer, as fmt prints the fields of unexported fields without asking them
}

// NewPasswordHash returns the hash as one that does not show itself.
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
