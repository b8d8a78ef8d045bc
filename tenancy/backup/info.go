package backup

import (
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// Verification is the method by which an archive was verified.
type Verification string

const (
	// VerifiedContent means that the archive was read back from the store, decrypted, and compared
	// with its manifest to the end.
	VerifiedContent Verification = "content"

	// VerifiedBytes means that the file was read back from the store and has the SHA-256 of what was
	// written. This program has no identity that decrypts the archive.
	VerifiedBytes Verification = "bytes"
)

// Info describes a backup. It is stored beside the archive as its receipt. An archive without a
// receipt was never verified.
type Info struct {
	Name     string    `json:"name"`               // in the store; empty without a store
	Registry string    `json:"registry,omitempty"` // the identity of the registry, see tenancy.Registry.Identity
	TenantID int64     `json:"tenantID"`
	Slug     string    `json:"slug"`
	Schema   string    `json:"schema"`
	TakenAt  time.Time `json:"takenAt"` // time of the snapshot, by the server's clock

	Size   int64  `json:"size"`   // bytes of the archive
	SHA256 string `json:"sha256"` // of the archive, in hexadecimal
	Tables int    `json:"tables"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"` // of CSV

	Encrypted bool `json:"encrypted,omitempty"`
	Signed    bool `json:"signed,omitempty"`

	// Differences lists how the structure differed from what the migrations create, if
	// [BackupOptions].Drift allowed it.
	Differences []string `json:"differences,omitempty"`

	Verified   Verification  `json:"verified,omitempty"` // empty: not verified
	VerifiedAt time.Time     `json:"verifiedAt,omitzero"`
	Duration   time.Duration `json:"duration"` // nanoseconds, without the verification
}

// compare returns a [ReceiptError] if the archive that was read differs from the receipt.
func (i *Info) compare(name string, read *Info) error {
	var differences []string
	for _, f := range []struct {
		what          string
		read, receipt any
	}{
		{"bytes of the archive", read.Size, i.Size},
		{"SHA-256", read.SHA256, i.SHA256},
		{"tenant", read.TenantID, i.TenantID},
		{"slug", read.Slug, i.Slug},
		{"schema", read.Schema, i.Schema},
		{"snapshot", read.TakenAt.UTC(), i.TakenAt.UTC()},
		{"tables", read.Tables, i.Tables},
		{"rows", read.Rows, i.Rows},
		{"bytes of CSV", read.Bytes, i.Bytes},
		{"differences", fmt.Sprintf("%q", read.Differences), fmt.Sprintf("%q", i.Differences)},
	} {
		if f.read != f.receipt {
			differences = append(differences, fmt.Sprintf("%s: %v, in the receipt %v", f.what, f.read, f.receipt))
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return &ReceiptError{Name: name, Differences: differences}
}

func (i *Info) describe(h archive.Header, m archive.Manifest) {
	i.TenantID, i.Slug, i.Schema, i.TakenAt, i.Differences = h.Tenant.ID, h.Tenant.Slug, h.Schema, h.TakenAt, h.Differences
	i.Tables, i.Rows, i.Bytes = len(m.Tables), m.Rows(), m.Bytes()
}
