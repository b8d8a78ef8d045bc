package backup

import (
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// Verification is how it was found out that an archive is good.
type Verification string

const (
	// VerifiedContent is an archive that was read back from the store, decrypted, and compared with its manifest to the end.
	VerifiedContent Verification = "content"

	// VerifiedBytes is one that was read back from the store and is what was written, byte by byte, by its SHA-256: it is
	// encrypted to others than this program.
	VerifiedBytes Verification = "bytes"
)

// Info is what is known of a backup. It is kept beside the archive in the store, as its receipt: an archive without one was
// never verified.
type Info struct {
	Name     string    `json:"name"`               // in the store; empty where there is none
	Registry string    `json:"registry,omitempty"` // the identity of the registry, see tenancy.Registry.Identity
	TenantID int64     `json:"tenantID"`
	Slug     string    `json:"slug"`
	Schema   string    `json:"schema"`
	TakenAt  time.Time `json:"takenAt"` // when the snapshot was taken, by the server's clock

	Size   int64  `json:"size"`   // bytes of the archive
	SHA256 string `json:"sha256"` // of the archive, in hex
	Tables int    `json:"tables"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"` // of CSV

	Encrypted bool `json:"encrypted,omitempty"`
	Signed    bool `json:"signed,omitempty"`

	// Differences are those from what the migrations make, where [BackupOptions].Drift allowed them.
	Differences []string `json:"differences,omitempty"`

	Verified   Verification  `json:"verified,omitempty"` // empty: nobody has
	VerifiedAt time.Time     `json:"verifiedAt,omitzero"`
	Duration   time.Duration `json:"duration"` // in nanoseconds, without the verification
}

// compare returns a [ReceiptError] where an archive that was read is not what the receipt says.
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
