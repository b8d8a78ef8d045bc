package backup_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// altered is a store in which one file has other content.
type altered struct {
	*backup.Dir
	name    string
	content []byte
}

func (s *altered) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == s.name {
		return io.NopCloser(bytes.NewReader(s.content)), nil
	}
	return s.Dir.Open(ctx, name)
}

// In each byte of an archive one bit is flipped, each of the eight bits in turn. The hash detects
// what tar, zstd, JSON and age do not notice.
func TestNoFlippedBitPassesACheck(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	mine, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	theirs, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	for name, cfg := range map[string]backup.Config{
		"plain":               {},
		"signed":              {SigningKey: key},
		"encrypted":           {Recipients: []age.Recipient{mine.Recipient()}, Identities: []age.Identity{mine}},
		"encrypted to others": {Recipients: []age.Recipient{theirs.Recipient()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := backUp(t, f.service(t, cfg), "north")
			store := &altered{Dir: f.dir, name: info.Name}
			content, err := os.ReadFile(f.path + "/" + info.Name)
			require.NoError(t, err)
			store.content, cfg.Store = content, store
			s := f.service(t, cfg)
			_, _, err = s.Check(t.Context(), info.Name)
			if name == "encrypted to others" {
				require.ErrorIs(t, err, archive.ErrEncrypted)
				require.NotErrorIs(t, err, backup.ErrReceipt)
			} else {
				require.NoError(t, err)
			}
			for i := range store.content {
				bit := byte(1) << (i % 8)
				store.content[i] ^= bit
				_, _, err := s.Check(t.Context(), info.Name)
				assert.Error(t, err, "bit %#x of byte %d was not detected: %v", bit, i, err)
				assert.NotErrorIs(t, err, archive.ErrEncrypted, "bit %#x of byte %d was not detected", bit, i)
				store.content[i] ^= bit
			}
			refused := func(what string, content []byte) {
				store.content = content
				_, _, err := s.Check(t.Context(), info.Name)
				require.Error(t, err, what)
				require.NotErrorIs(t, err, archive.ErrEncrypted, what)
			}
			for n := 0; n < len(content); n += 16 {
				refused("cut off", content[:n])
			}
			refused("a byte too many", append(slices.Clip(content), 0))
			refused("twice", slices.Concat(content, content))
			const block = 512 // the block size of tar
			for i := block; i+2*block <= len(content); i += block {
				swapped := slices.Clone(content)
				copy(swapped[i:], content[i-block:i])
				copy(swapped[i-block:], content[i:i+block])
				if !bytes.Equal(swapped, content) {
					refused("blocks swapped", swapped)
				}
			}
			other := backUp(t, f.service(t, cfg), "north")
			content, err = os.ReadFile(f.path + "/" + other.Name)
			require.NoError(t, err)
			refused("another archive of the tenant", content)
		})
	}
}

func TestACheckComparesTheArchiveWithItsReceipt(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	info := backUp(t, f.service(t, backup.Config{}), "north")
	for what, alter := range map[string]func(i *backup.Info){
		"rows":                 func(i *backup.Info) { i.Rows++ },
		"tables":               func(i *backup.Info) { i.Tables-- },
		"bytes of CSV":         func(i *backup.Info) { i.Bytes++ },
		"bytes of the archive": func(i *backup.Info) { i.Size++ },
		"SHA-256":              func(i *backup.Info) { i.SHA256 = strings.Repeat("0", 64) },
		"tenant":               func(i *backup.Info) { i.TenantID++ },
		"slug":                 func(i *backup.Info) { i.Slug = "south" },
		"schema":               func(i *backup.Info) { i.Schema = "tenant_9" },
		"snapshot":             func(i *backup.Info) { i.TakenAt = i.TakenAt.Add(1000) },
		"differences":          func(i *backup.Info) { i.Differences = []string{"table notes is missing"} },
	} {
		receipt := info
		alter(&receipt)
		text, err := json.Marshal(receipt)
		require.NoError(t, err)
		s := f.service(t, backup.Config{Store: &altered{Dir: f.dir, name: info.Name + ".json", content: text}})
		_, _, err = s.Check(t.Context(), info.Name)
		var refused *backup.ReceiptError
		require.ErrorAs(t, err, &refused, what)
		require.Len(t, refused.Differences, 1, what)
		assert.True(t, strings.HasPrefix(refused.Differences[0], what+": "), refused.Differences[0])
	}
	s := f.service(t, backup.Config{Store: &altered{Dir: f.dir, name: info.Name + ".json", content: []byte("{")}})
	_, _, err := s.Check(t.Context(), info.Name)
	require.Error(t, err, "an unreadable receipt was ignored")
	require.NoError(t, f.dir.Delete(t.Context(), info.Name+".json"))
	_, m, err := f.service(t, backup.Config{}).Check(t.Context(), info.Name)
	require.NoError(t, err)
	assert.Equal(t, info.Rows, m.Rows())
}

// A check counts the rows in the archive itself, without a receipt.
func TestACheckCountsTheRows(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.createLarge(t, "north")
	s := f.service(t, backup.Config{})
	info := backUp(t, s, "north")
	require.NoError(t, f.dir.Delete(t.Context(), info.Name+".json"))
	whole, err := os.ReadFile(f.path + "/" + info.Name)
	require.NoError(t, err)
	require.NoError(t, f.dir.Delete(t.Context(), info.Name))
	f.put(t, info.Name, string(forge(t, whole, func(a *forged) { a.rows["notes"]-- })))
	_, _, err = s.Check(t.Context(), info.Name)
	require.ErrorIs(t, err, archive.ErrChecksum)
	require.ErrorContains(t, err, "rows, and")
}
