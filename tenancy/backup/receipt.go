package backup

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// newName returns a name that no other backup has: <id>-<slug>/<UTC time>-<random>.tar, with .age where it is encrypted.
func newName(t tenancy.Tenant, taken time.Time, encrypted bool) string {
	return newFileName(t, taken, ".tar", encrypted)
}

func newFileName(t tenancy.Tenant, at time.Time, kind string, encrypted bool) string {
	name := tenantPrefix(t.ID) + t.Slug + "/" + at.UTC().Format("20060102T150405Z") + "-" + strings.ToLower(rand.Text()[:10]) + kind
	if encrypted {
		name += ".age"
	}
	return name
}

// tenantPrefix begins the names of a tenant's files, whatever its slug was at the time.
func tenantPrefix(id int64) string { return strconv.FormatInt(id, 10) + "-" }

const receiptSuffix = ".json"

// receiptOf returns the name of the file that says that an archive was verified.
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

// Backups returns the verified backups of a tenant, those under one slug from the oldest to the newest; of all tenants where id is 0.
// They are those that have a receipt in the store. An error is the last element. ctx governs the listing.
func (s *Service) Backups(ctx context.Context, id int64) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if s.cfg.Store == nil {
			yield(Info{}, errNoStore)
			return
		}
		prefix := ""
		if id != 0 {
			prefix = tenantPrefix(id)
		}
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
			if errors.Is(err, ErrNotFound) { // deleted meanwhile
				continue
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// maxReceipt bounds what is read of a receipt.
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
		return fail(fmt.Errorf("it is that of %q", info.Name))
	}
	return info, nil
}
