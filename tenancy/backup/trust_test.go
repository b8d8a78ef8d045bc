package backup_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestAnEncryptedBackupIsVerifiedAsFarAsItCanBeRead(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	mine, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	theirs, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	public, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	for _, test := range []struct {
		identities []age.Identity
		want       backup.Verification
	}{
		{nil, backup.VerifiedBytes},
		{[]age.Identity{mine}, backup.VerifiedBytes},
		{[]age.Identity{theirs}, backup.VerifiedContent},
	} {
		s := f.service(t, backup.Config{
			Recipients: []age.Recipient{theirs.Recipient()}, Identities: test.identities,
			SigningKey: key,
		})
		info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		require.NoError(t, err)
		assert.Equal(t, test.want, info.Verified, "info %+v, want", info)
		assert.True(t, info.Encrypted, "info %+v, want %s", info, test.want)
		assert.True(t, info.Signed, "info %+v, want %s", info, test.want)
		assert.True(t, strings.HasSuffix(info.Name, ".tar.age"), "info %+v, want %s", info, test.want)
		_, m, tables := f.stored(t, info.Name, archive.ReaderOptions{
			Identities: []age.Identity{theirs}, TrustedKeys: []ed25519.PublicKey{public},
		})
		assert.Equal(t, int64(1001), m.Rows(), "%d rows", m.Rows())
		assert.True(t, strings.HasPrefix(tables["notes"], "id,body\n1,"), "%d rows", m.Rows())
		if _, _, err := s.Check(t.Context(), info.Name); test.want == backup.VerifiedBytes {
			assert.ErrorIs(t, err, archive.ErrEncrypted)
		} else {
			require.NoError(t, err)
		}
	}
}

func TestABackupWithAnUntrustedSignatureIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	// a signer trusts only its own key
	_, _, err = f.service(t, backup.Config{SigningKey: key}).Check(t.Context(), info.Name)
	assert.ErrorIs(t, err, archive.ErrSignature)
	_, _, err = f.service(t, backup.Config{}).Check(t.Context(), "1-north/none.tar")
	assert.ErrorIs(t, err, backup.ErrNotFound)
}

func TestABackupIsWrittenToAWriter(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	s := f.service(t, backup.Config{})
	var buf bytes.Buffer
	info, err := s.BackupTo(t.Context(), "north", &buf, backup.BackupOptions{})
	require.NoError(t, err)
	assert.Equal(t, int64(buf.Len()), info.Size, "info %+v, %d bytes", info, buf.Len())
	assert.Empty(t, info.Verified, "info %+v, %d bytes", info, buf.Len())
	assert.Empty(t, info.Name, "info %+v, %d bytes", info, buf.Len())
	assert.Equal(t, int64(1001), info.Rows, "info %+v, %d bytes", info, buf.Len())
	r, err := archive.NewReader(&buf, archive.ReaderOptions{})
	require.NoError(t, err)
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	assert.Equal(t, int64(1001), r.Manifest().Rows(), "manifest %+v: %v", r.Manifest(), err)
	full := errors.New("full")
	_, err = s.BackupTo(t.Context(), "north", failing{full}, backup.BackupOptions{})
	assert.ErrorIs(t, err, full)
	names := f.files(t)
	assert.Empty(t, names, "the directory has %q", names)
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
