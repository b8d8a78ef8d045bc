package backup

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/oryne/pgtenant/tenancy"
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

// newName returns a unique name for a backup: <registry>/<id>-<slug>/<UTC time>-<random>.tar, with
// .age appended if it is encrypted.
func newName(t tenancy.Tenant, taken time.Time, encrypted bool) string {
	return newFileName(t, taken, ".tar", encrypted)
}

func newFileName(t tenancy.Tenant, at time.Time, kind string, encrypted bool) string {
	unique := at.UTC().Format(nameTime) + "-" + strings.ToLower(rand.Text()[:10])
	name := tenantPrefix(t.Registry, t.ID) + t.Slug + "/" + unique + kind
	if encrypted {
		name += ".age"
	}
	return name
}

// nameTime is the layout of the time in a file's name.
const nameTime = "20060102T150405Z"

// timeOf returns the time in a file's name.
func timeOf(name string) (at time.Time, ok bool) {
	text, _, _ := strings.Cut(lastPart(name), "-")
	at, err := time.Parse(nameTime, text)
	return at, err == nil
}

const receiptSuffix = ".json"

// receiptOf returns the name of an archive's receipt.
func receiptOf(name string) string { return name + receiptSuffix }

func (s *Service) writeReceipt(ctx context.Context, info Info) error {
	text, err := json.MarshalIndent(info, "", " ")
	if err != nil {
		return err
	}
	upload, err := s.cfg.Store.Create(ctx, receiptOf(info.Name))
	if err != nil {
		return err
	}
	if _, err := upload.Write(text); err != nil {
		return errors.Join(err, upload.Abort())
	}
	return upload.Commit()
}

// Backups yields the verified backups of a tenant, or of all tenants if id is 0. Those under one
// slug come from the oldest to the newest. They are those of this registry that have a receipt in
// the store; [Service.AllBackups] also yields those of other registries. An error is the last
// element. ctx governs the listing.
func (s *Service) Backups(ctx context.Context, id int64) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if s.cfg.Store == nil {
			yield(Info{}, errNoStore)
			return
		}
		registry, err := s.cfg.Tenants.Identity(ctx)
		if err != nil {
			yield(Info{}, fmt.Errorf("list backups: %w", err))
			return
		}
		prefix := registryPrefix(registry)
		if id != 0 {
			prefix = tenantPrefix(registry, id)
		}
		s.receipts(ctx, prefix)(yield)
	}
}

// AllBackups yields the verified backups of all registries that share the store, and those whose
// names contain no registry, for a restore with [RestoreOptions].AnyRegistry. [Info].Registry is
// the registry of each. An error is the last element. ctx governs the listing.
func (s *Service) AllBackups(ctx context.Context) iter.Seq2[Info, error] {
	if s.cfg.Store == nil {
		return func(yield func(Info, error) bool) { yield(Info{}, errNoStore) }
	}
	return s.receipts(ctx, "")
}

// receipts yields the receipts whose names begin with prefix.
func (s *Service) receipts(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for object, err := range s.cfg.Store.List(ctx, prefix) {
			if err != nil {
				yield(Info{}, fmt.Errorf("list backups: %w", err))
				return
			}
			name, isReceipt := strings.CutSuffix(object.Name, receiptSuffix)
			if !isReceipt {
				continue
			}
			info, err := s.readReceipt(ctx, name)
			if errors.Is(err, ErrNotFound) { // deleted after it was listed
				continue
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// maxReceipt bounds the bytes that are read of a receipt.
const maxReceipt = 1 << 20

func (s *Service) readReceipt(ctx context.Context, name string) (Info, error) {
	fail := func(err error) (Info, error) { return Info{}, fmt.Errorf("receipt of backup %q: %w", name, err) }
	file, err := s.cfg.Store.Open(ctx, receiptOf(name))
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxReceipt))
	if err != nil {
		return fail(err)
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return fail(err)
	}
	if info.Name != name {
		return fail(fmt.Errorf("it belongs to backup %q", info.Name))
	}
	if info.Registry != registryOf(name) {
		return fail(fmt.Errorf("it belongs to registry %q", info.Registry))
	}
	return info, nil
}
