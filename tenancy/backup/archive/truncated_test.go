package archive_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// newIdentity returns an identity, which is also a recipient.
func newIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return identity
}

func newKey(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return public, private
}

func TestAnArchiveThatEndsAnywhereIsTruncated(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	packed := pack(t, students(), content, archive.WriterOptions{SigningKey: key})
	for n := range len(packed) {
		_, _, err := unpack(bytes.NewReader(packed[:n]), archive.ReaderOptions{})
		require.ErrorIs(t, err, archive.ErrTruncated, "after %d of %d bytes", n, len(packed))
	}
}

func TestAnEncryptedArchiveThatEndsAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	identity := newIdentity(t)
	packed := pack(t, students(), content, archive.WriterOptions{Recipients: []age.Recipient{identity.Recipient()}})
	opts := archive.ReaderOptions{Identities: []age.Identity{identity}}
	_, _, err := unpack(bytes.NewReader(packed), opts)
	require.NoError(t, err)
	for n := 0; n < len(packed); n += 7 {
		_, _, err := unpack(bytes.NewReader(packed[:n]), opts)
		var format *archive.FormatError // age cannot distinguish a truncated file from an altered one
		require.True(t, errors.Is(err, archive.ErrTruncated) || errors.As(err, &format),
			"after %d of %d bytes: %v", n, len(packed), err)
	}
}

func TestAChangeOfABitIsFound(t *testing.T) {
	t.Parallel()
	public, key := newKey(t)
	packed := pack(t, students(), content, archive.WriterOptions{SigningKey: key})
	opts := archive.ReaderOptions{TrustedKeys: []ed25519.PublicKey{public}}
	_, want, err := unpack(bytes.NewReader(packed), opts)
	require.NoError(t, err)
	for i := 0; i < len(packed); i += 3 {
		altered := bytes.Clone(packed)
		altered[i] ^= 1 << (i % 8)
		_, got, err := unpack(bytes.NewReader(altered), opts)
		// The owner and the time of a tar entry are not compared.
		if err == nil {
			require.Equal(t, want["students"], got["students"], "byte %d: read %q", i, got)
		}
	}
}

// broken returns err at the end of r.
type broken struct {
	r   io.Reader
	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

// A store may wrap io.EOF in the error of a broken connection. That is not the end of an archive.
func TestAReadErrorIsNotTheEndOfTheArchive(t *testing.T) {
	t.Parallel()
	hangup := fmt.Errorf("connection closed: %w", io.EOF)
	packed := pack(t, students(), content, archive.WriterOptions{})
	for n := 0; n < len(packed); n += 13 {
		_, _, err := unpack(broken{bytes.NewReader(packed[:n]), hangup}, archive.ReaderOptions{})
		require.Error(t, err, "after %d of %d bytes: it was accepted", n, len(packed))
	}
}

func TestAStorageErrorIsReturnedUnchanged(t *testing.T) {
	t.Parallel()
	away := errors.New("storage is away")
	identity := newIdentity(t)
	plain := pack(t, students(), content, archive.WriterOptions{})
	sealed := pack(t, students(), content, archive.WriterOptions{Recipients: []age.Recipient{identity.Recipient()}})
	for _, packed := range [][]byte{plain, sealed} {
		for n := 0; n < len(packed); n += 97 {
			_, _, err := unpack(broken{bytes.NewReader(packed[:n]), away},
				archive.ReaderOptions{Identities: []age.Identity{identity}})
			var format *archive.FormatError
			require.ErrorIs(t, err, away, "after %d bytes", n)
			require.NotErrorAs(t, err, &format, "after %d bytes", n)
			require.NotErrorIs(t, err, archive.ErrTruncated, "after %d bytes", n)
		}
	}
}
