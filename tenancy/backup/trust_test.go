package backup_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestAnEncryptedBackupIsVerifiedAsFarAsItCanBeRead(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	mine, err := age.GenerateX25519Identity()
	check(t, err)
	theirs, err := age.GenerateX25519Identity()
	check(t, err)
	public, key, err := ed25519.GenerateKey(nil)
	check(t, err)
	for _, test := range []struct {
		identities []age.Identity
		want       backup.Verification
	}{{nil, backup.VerifiedBytes}, {[]age.Identity{mine}, backup.VerifiedBytes}, {[]age.Identity{theirs}, backup.VerifiedContent}} {
		s := f.service(t, backup.Config{Recipients: []age.Recipient{theirs.Recipient()}, Identities: test.identities, SigningKey: key})
		info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		check(t, err)
		if info.Verified != test.want || !info.Encrypted || !info.Signed || !strings.HasSuffix(info.Name, ".tar.age") {
			t.Errorf("info %+v, want %s", info, test.want)
		}
		_, m, tables := f.stored(t, info.Name, archive.ReaderOptions{
			Identities: []age.Identity{theirs}, TrustedKeys: []ed25519.PublicKey{public},
		})
		if m.Rows() != 1001 || !strings.HasPrefix(tables["notes"], "id,body\n1,") {
			t.Errorf("%d rows", m.Rows())
		}
		if _, _, err := s.Check(t.Context(), info.Name); test.want == backup.VerifiedBytes {
			expectIs(t, err, archive.ErrEncrypted)
		} else {
			check(t, err)
		}
	}
}

func TestABackupOfSomebodyElseIsNotTaken(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	_, key, err := ed25519.GenerateKey(nil)
	check(t, err)
	_, _, err = f.service(t, backup.Config{SigningKey: key}).Check(t.Context(), info.Name) // who signs trusts nobody else
	expectIs(t, err, archive.ErrSignature)
	_, _, err = f.service(t, backup.Config{}).Check(t.Context(), "1-north/none.tar")
	expectIs(t, err, backup.ErrNotFound)
}

func TestABackupGoesToAWriter(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	s := f.service(t, backup.Config{})
	var buf bytes.Buffer
	info, err := s.BackupTo(t.Context(), "north", &buf, backup.BackupOptions{})
	check(t, err)
	if info.Size != int64(buf.Len()) || info.Verified != "" || info.Name != "" || info.Rows != 1001 {
		t.Errorf("info %+v, %d bytes", info, buf.Len())
	}
	r, err := archive.NewReader(&buf, archive.ReaderOptions{})
	check(t, err)
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if r.Manifest().Rows() != 1001 {
		t.Errorf("manifest %+v: %v", r.Manifest(), err)
	}
	full := errors.New("full")
	_, err = s.BackupTo(t.Context(), "north", failing{full}, backup.BackupOptions{})
	expectIs(t, err, full)
	if names := f.files(t); len(names) != 0 {
		t.Errorf("the directory has %q", names)
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
