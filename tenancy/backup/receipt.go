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
)

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
