package archive_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestOnlyARecipientReadsAnEncryptedArchive(t *testing.T) {
	t.Parallel()
	one, two, other := newIdentity(t), newIdentity(t), newIdentity(t)
	packed := pack(t, students(), content, archive.WriterOptions{Recipients: []age.Recipient{
		one.Recipient(),
		two.Recipient(),
	}})
	assert.True(t, !bytes.Contains(packed, []byte("students")) && !bytes.Contains(packed, []byte("north")),
		"names are readable")
	for _, identities := range [][]age.Identity{{one}, {two}, {other, two}} {
		_, got, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{Identities: identities})
		require.NoError(t, err)
		assert.Equal(t, content["students"], got["students"], "%q", got)
	}
	for _, identities := range [][]age.Identity{nil, {other}} {
		_, _, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{Identities: identities})
		assert.ErrorIs(t, err, archive.ErrEncrypted)
	}
}

func TestOnlyATrustedSignatureIsAccepted(t *testing.T) {
	t.Parallel()
	public, key := newKey(t)
	other, otherKey := newKey(t)
	trusted := archive.ReaderOptions{TrustedKeys: []ed25519.PublicKey{other, public}}
	signed := pack(t, students(), content, archive.WriterOptions{SigningKey: key})
	r, _, err := unpack(bytes.NewReader(signed), trusted)
	require.NoError(t, err)
	assert.True(t, r.SignedBy().Equal(public), "signed by %x", r.SignedBy())
	_, _, err = unpack(bytes.NewReader(signed), archive.ReaderOptions{}) // without keys, any signature is accepted
	require.NoError(t, err)

	trusted.TrustedKeys = trusted.TrustedKeys[:1]
	_, _, err = unpack(bytes.NewReader(signed), trusted)
	assert.ErrorIs(t, err, archive.ErrSignature)
	_, _, err = unpack(bytes.NewReader(pack(t, students(), content, archive.WriterOptions{})), trusted)
	assert.ErrorIs(t, err, archive.ErrSignature)

	// The archive has the signature of another archive's manifest.
	h := students()
	h.Tenant.ID = 8
	stolen := entries(t, pack(t, h, content, archive.WriterOptions{SigningKey: otherKey}))
	theirs := entries(t, pack(t, students(), content, archive.WriterOptions{SigningKey: otherKey}))
	stolen[len(stolen)-1] = theirs[len(theirs)-1]
	for _, opts := range []archive.ReaderOptions{trusted, {}} {
		_, _, err = unpack(bytes.NewReader(repack(t, stolen)), opts)
		assert.ErrorIs(t, err, archive.ErrSignature)
		expectFormat(t, err, "manifest.sig", "is wrong")
	}
	for _, text := range []string{
		"", "{}", `{"algorithm":"none"}`,
		`{"algorithm":"ed25519","key":"00","signature":"00"}`, strings.Repeat(" ", 5000),
	} {
		stolen[len(stolen)-1].body = text
		_, _, err = unpack(bytes.NewReader(repack(t, stolen)), trusted)
		expectFormat(t, err, "manifest.sig", "")
	}
}

func TestAKeyOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = archive.NewWriter(&bytes.Buffer{}, students(), archive.WriterOptions{SigningKey: key})
	assert.ErrorContains(t, err, "Ed25519")
	_, err = archive.NewReader(&bytes.Buffer{}, archive.ReaderOptions{TrustedKeys: []ed25519.PublicKey{{1, 2}}})
	assert.ErrorContains(t, err, "2 bytes")
}

func TestALongAgeHeaderIsRefused(t *testing.T) {
	t.Parallel()
	long := "age-encryption.org/v1\n" + strings.Repeat(
		"-> X25519 "+strings.Repeat("A", 43)+"\n"+strings.Repeat("A", 43)+"\n", 20_000)
	_, err := archive.NewReader(strings.NewReader(long), archive.ReaderOptions{Identities: []age.Identity{newIdentity(t)}})
	expectFormat(t, err, "", "has no readable age header")
	endless := "age-encryption.org/v1\n-> " + strings.Repeat("A", 3<<20)
	_, err = archive.NewReader(strings.NewReader(endless),
		archive.ReaderOptions{Identities: []age.Identity{newIdentity(t)}})
	expectFormat(t, err, "", "has no readable age header")
}
