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

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestOnlyARecipientReadsAnEncryptedArchive(t *testing.T) {
	t.Parallel()
	one, two, other := newIdentity(t), newIdentity(t), newIdentity(t)
	packed := pack(t, students(), content, archive.WriterOptions{Recipients: []age.Recipient{one.Recipient(), two.Recipient()}})
	if bytes.Contains(packed, []byte("students")) || bytes.Contains(packed, []byte("north")) {
		t.Error("names are readable")
	}
	for _, identities := range [][]age.Identity{{one}, {two}, {other, two}} {
		_, got, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{Identities: identities})
		check(t, err)
		if got["students"] != content["students"] {
			t.Errorf("got %q", got)
		}
	}
	for _, identities := range [][]age.Identity{nil, {other}} {
		_, _, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{Identities: identities})
		expectIs(t, err, archive.ErrEncrypted)
	}
}

func TestOnlyATrustedSignatureIsAccepted(t *testing.T) {
	t.Parallel()
	public, key := newKey(t)
	other, otherKey := newKey(t)
	trusted := archive.ReaderOptions{TrustedKeys: []ed25519.PublicKey{other, public}}
	signed := pack(t, students(), content, archive.WriterOptions{SigningKey: key})
	r, _, err := unpack(bytes.NewReader(signed), trusted)
	check(t, err)
	if !r.SignedBy().Equal(public) {
		t.Errorf("signed by %x", r.SignedBy())
	}
	_, _, err = unpack(bytes.NewReader(signed), archive.ReaderOptions{}) // without keys, any is good
	check(t, err)

	trusted.TrustedKeys = trusted.TrustedKeys[:1]
	_, _, err = unpack(bytes.NewReader(signed), trusted)
	expectIs(t, err, archive.ErrSignature)
	_, _, err = unpack(bytes.NewReader(pack(t, students(), content, archive.WriterOptions{})), trusted)
	expectIs(t, err, archive.ErrSignature)

	// The signature of one archive under the manifest of another.
	h := students()
	h.Tenant.ID = 8
	stolen := entries(t, pack(t, h, content, archive.WriterOptions{SigningKey: otherKey}))
	theirs := entries(t, pack(t, students(), content, archive.WriterOptions{SigningKey: otherKey}))
	stolen[len(stolen)-1] = theirs[len(theirs)-1]
	for _, opts := range []archive.ReaderOptions{trusted, {}} {
		_, _, err = unpack(bytes.NewReader(repack(t, stolen)), opts)
		expectIs(t, err, archive.ErrSignature)
		expectFormat(t, err, "manifest.sig", "is wrong")
	}
	for _, text := range []string{"", "{}", `{"algorithm":"none"}`, `{"algorithm":"ed25519","key":"00","signature":"00"}`, strings.Repeat(" ", 5000)} {
		stolen[len(stolen)-1].body = text
		_, _, err = unpack(bytes.NewReader(repack(t, stolen)), trusted)
		expectFormat(t, err, "manifest.sig", "")
	}
}

func TestAKeyOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	_, err = archive.NewWriter(&bytes.Buffer{}, students(), archive.WriterOptions{SigningKey: key})
	if err == nil || !strings.Contains(err.Error(), "Ed25519") {
		t.Errorf("got %v", err)
	}
	_, err = archive.NewReader(&bytes.Buffer{}, archive.ReaderOptions{TrustedKeys: []ed25519.PublicKey{{1, 2}}})
	if err == nil || !strings.Contains(err.Error(), "2 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestALongAgeHeaderIsRefused(t *testing.T) {
	t.Parallel()
	long := "age-encryption.org/v1\n" + strings.Repeat("-> X25519 "+strings.Repeat("A", 43)+"\n"+strings.Repeat("A", 43)+"\n", 20_000)
	_, err := archive.NewReader(strings.NewReader(long), archive.ReaderOptions{Identities: []age.Identity{newIdentity(t)}})
	expectFormat(t, err, "", "has no readable age header")
	endless := "age-encryption.org/v1\n-> " + strings.Repeat("A", 3<<20)
	_, err = archive.NewReader(strings.NewReader(endless), archive.ReaderOptions{Identities: []age.Identity{newIdentity(t)}})
	expectFormat(t, err, "", "has no readable age header")
}
