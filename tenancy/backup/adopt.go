package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// AdoptOptions select the files to adopt.
type AdoptOptions struct {
	// TenantID selects the files of one tenant. Default: 0, the files of all tenants.
	//
	// For a dropped tenant and without TenantID, two more conditions apply. An archive is adopted only
	// if its header contains the time at which this registry created the tenant. Dumps are adopted
	// only beside an adopted archive.
	TenantID int64

	// Plan reports what would be adopted and changes nothing. Default: false.
	Plan bool
}

// AdoptResult is what [Service.AdoptBackups] did with each file. It is valid with an error too.
type AdoptResult struct {
	Adopted []AdoptedFile
	Removed []string      // leftovers that [Service.Prune] would delete: no receipt, older than a day by clocks that agree
	Skipped []SkippedFile // unchanged
}

// AdoptedFile is a file that was moved to a name of this registry.
type AdoptedFile struct{ From, To string }

// SkippedFile is a file that was not adopted.
type SkippedFile struct{ Name, Reason string }

// AdoptBackups takes over the files in the store whose names contain no registry, as those of
// earlier releases. It copies each file to a name of this registry, reads the copy back, and then
// deletes the file under its former name. Run it once, from the registry that created the files.
//
// It adopts a file that this registry can have created. The receipt must name a schema that the
// tenant had, and must not be older than the tenant. If [Config].Identities can decrypt the
// archive, its header must contain the tenant's creation time. An archive that differs belongs to
// another registry. It is skipped, and so are files without a receipt beside it.
//
// After any error it can be run again, also after an error that another run has moved the file. ctx
// governs it.
func (s *Service) AdoptBackups(ctx context.Context, opts AdoptOptions) (AdoptResult, error) {
	if s.cfg.Store == nil {
		return AdoptResult{}, errNoStore
	}
	a := &adoptRun{s: s, opts: opts}
	err := a.run(ctx)
	if err != nil {
		err = fmt.Errorf("adopt backups: %w", err)
	}
	return a.result, err
}

type adoptRun struct {
	s        *Service
	opts     AdoptOptions
	registry string // identity of this registry
	clocks   clocks
	result   AdoptResult
}

func (a *adoptRun) run(ctx context.Context) (err error) {
	if a.registry, err = a.s.cfg.Tenants.Identity(ctx); err != nil {
		return err
	}
	if a.clocks, err = a.s.readClocks(ctx); err != nil {
		return err
	}
	prefix := ""
	if a.opts.TenantID != 0 {
		prefix = legacyPrefix(a.opts.TenantID)
	}
	folders := make(map[string][]Object)
	for o, err := range a.s.cfg.Store.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if dir := path.Dir(o.Name); registryOf(o.Name) == "" && dir != "." {
			folders[dir] = append(folders[dir], o)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		id, err := strconv.ParseInt(strings.SplitN(dir, "-", 2)[0], 10, 64)
		if err != nil || id <= 0 {
			continue // no release has created such a name
		}
		if err := a.adoptFolder(ctx, id, folders[dir]); err != nil {
			return err
		}
	}
	return nil
}

// adoptFolder adopts the files of one tenant and slug. It starts with the archives that have a
// receipt, because they decide whether the other files belong to this registry.
func (a *adoptRun) adoptFolder(ctx context.Context, id int64, files []Object) error {
	foreign, proved := false, a.opts.TenantID == id
	has := make(map[string]bool)
	for _, o := range files {
		has[o.Name] = true
	}
	for _, o := range files {
		if !has[receiptOf(o.Name)] {
			continue
		}
		reason, err := a.adoptArchive(ctx, id, o.Name)
		if err != nil {
			return err
		}
		if reason != "" {
			foreign = true
			a.skip(o.Name, reason)
			a.skip(receiptOf(o.Name), reason)
		}
		proved = proved || reason == ""
	}
	for _, o := range files {
		name, isReceipt := strings.CutSuffix(o.Name, receiptSuffix)
		switch {
		case has[receiptOf(o.Name)], isReceipt && has[name]:
		case foreign:
			a.skip(o.Name, "is beside archives of another registry")
		case !proved:
			a.skip(o.Name, "is not beside an archive of this registry: set AdoptOptions.TenantID to adopt it")
		default:
			if err := a.adoptOther(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *adoptRun) skip(name, reason string) {
	a.result.Skipped = append(a.result.Skipped, SkippedFile{name, reason})
}

// adoptArchive adopts an archive that has a receipt. A non-empty reason says why it was not
// adopted.
func (a *adoptRun) adoptArchive(ctx context.Context, id int64, name string) (reason string, err error) {
	info, err := a.s.readReceipt(ctx, name)
	if err != nil {
		return "its receipt cannot be read: " + err.Error(), ctx.Err()
	}
	if reason, err = a.checkOrigin(ctx, id, info); err != nil || reason != "" {
		return reason, err
	}
	to := registryPrefix(a.registry) + name
	if !a.opts.Plan {
		if reason, err = a.move(ctx, name, to, &info); err != nil || reason != "" {
			return reason, err
		}
	}
	a.result.Adopted = append(a.result.Adopted, AdoptedFile{name, to})
	return "", nil
}

// checkOrigin returns a reason if the archive cannot have been created by this registry.
func (a *adoptRun) checkOrigin(ctx context.Context, id int64, info Info) (string, error) {
	if info.TenantID != id {
		return fmt.Sprintf("its receipt belongs to tenant %d", info.TenantID), nil
	}
	var known bool
	err := a.s.registry.QueryRow(ctx,
		`select exists (select from {registry}.schema_names where name = $1 and tenant_id = $2)`,
		info.Schema, id).Scan(&known)
	if err != nil {
		return "", err
	}
	if !known {
		return fmt.Sprintf("tenant %d of this registry never had schema %q", id, info.Schema), nil
	}
	t, err := a.s.cfg.Tenants.ByID(ctx, id)
	if errors.Is(err, tenancy.ErrNotFound) {
		return a.checkDroppedOrigin(ctx, id, info.Name)
	}
	if err == nil && info.TakenAt.Before(t.CreatedAt) {
		return "it was taken before the tenant of this registry was created", nil
	}
	if err != nil {
		return "", err
	}
	return a.checkHeader(ctx, info.Name, &t)
}

// checkDroppedOrigin is checkOrigin for a dropped tenant. The registry still contains the time at
// which the name of its first schema was reserved. That is the time of its creation, unless the
// tenant came from the stock or from a restore. For such tenants, and if the header cannot be read,
// the caller has to set TenantID.
func (a *adoptRun) checkDroppedOrigin(ctx context.Context, id int64, name string) (string, error) {
	if a.opts.TenantID == id {
		return "", nil
	}
	var created time.Time
	err := a.s.registry.QueryRow(ctx,
		"select min(taken_at) from {registry}.schema_names where tenant_id = $1", id).Scan(&created)
	if err != nil {
		return "", err
	}
	h, reason, err := a.readHeader(ctx, name)
	if err != nil || reason != "" || h != nil && h.Tenant.ID == id && h.Tenant.CreatedAt.Equal(created) {
		return reason, err
	}
	return fmt.Sprintf("tenant %d of this registry was dropped, and nothing proves that this archive is its own: "+
		"set AdoptOptions.TenantID to adopt it", id), nil
}

func (a *adoptRun) checkHeader(ctx context.Context, name string, t *tenancy.Tenant) (string, error) {
	h, reason, err := a.readHeader(ctx, name)
	if h == nil || h.Tenant.ID == t.ID && h.Tenant.CreatedAt.Equal(t.CreatedAt) {
		return reason, err
	}
	return fmt.Sprintf("it belongs to a tenant %d that was created %s; this registry's tenant was created %s",
		h.Tenant.ID, h.Tenant.CreatedAt.UTC().Format(time.RFC3339), t.CreatedAt.UTC().Format(time.RFC3339)), nil
}

// readHeader reads the header of an archive. It returns nil if this program cannot decrypt the
// archive. A non-empty reason says why the header cannot be read.
func (a *adoptRun) readHeader(ctx context.Context, name string) (h *archive.Header, reason string, err error) {
	file, err := a.s.cfg.Store.Open(ctx, name)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	r, err := archive.NewReader(&cancellable{ctx.Err, file}, a.s.cfg.readerOptions())
	switch {
	case errors.Is(err, archive.ErrEncrypted):
		return nil, "", nil
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case err != nil:
		return nil, "it cannot be read: " + err.Error(), nil
	}
	defer r.Close()
	header := r.Header()
	return &header, "", nil
}

// move copies a file, reads the copy back, writes its receipt if info is not nil, and deletes the
// original. A complete copy under the new name is kept: it comes from a killed run, or from a
// concurrent run that is about to delete the original. If two runs copy one file, the store refuses
// the second.
func (a *adoptRun) move(ctx context.Context, from, to string, info *Info) (reason string, err error) {
	s := a.s
	want, err := s.sumOf(ctx, from)
	if err != nil {
		return "", err
	}
	if info != nil && want != (fileSum{info.Size, info.SHA256}) {
		return "it differs from its receipt", nil
	}
	if err := s.copyFile(ctx, from, to, want); err != nil {
		return "", err
	}
	if info != nil {
		adopted := *info
		adopted.Name, adopted.Registry = to, a.registry
		if err := s.moveReceipt(ctx, adopted); err != nil {
			return "", err
		}
		if err := s.renameRun(ctx, from, to); err != nil {
			return "", err
		}
	}
	return "", s.remove(ctx, from)
}

// moveReceipt writes a receipt unless it exists already.
func (s *Service) moveReceipt(ctx context.Context, info Info) error {
	there, err := s.readReceipt(ctx, info.Name)
	if err == nil && there.Size == info.Size && there.SHA256 == info.SHA256 {
		return nil
	}
	if !errors.Is(err, ErrNotFound) {
		if err := s.cfg.Store.Delete(ctx, receiptOf(info.Name)); err != nil {
			return err
		}
	}
	return s.writeReceipt(ctx, info)
}

// renameRun replaces the former name of an archive in the runs of a [Schedule].
func (s *Service) renameRun(ctx context.Context, from, to string) error {
	_, err := s.registry.Exec(ctx, "update {registry}.backup_runs set name = $2 where name = $1", from, to)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == undefinedTable {
		return nil // the program does not use a Schedule
	}
	return err
}

// adoptOther adopts a dump, which has no receipt. It deletes an archive without a receipt or a
// receipt without an archive, which a killed run has left.
func (a *adoptRun) adoptOther(ctx context.Context, o Object) error {
	to := registryPrefix(a.registry) + o.Name
	if isArchive(o.Name) || strings.HasSuffix(o.Name, receiptSuffix) {
		if !a.clocks.agree() || a.clocks.earlier().Sub(o.ModTime) < abandonedAfter {
			a.skip(o.Name, "has no receipt: it may still be written")
			return nil
		}
		a.result.Removed = append(a.result.Removed, o.Name)
		if a.opts.Plan {
			return nil
		}
		return a.s.cfg.Store.Delete(ctx, o.Name)
	}
	if !a.opts.Plan {
		if _, err := a.move(ctx, o.Name, to, nil); err != nil {
			return err
		}
	}
	a.result.Adopted = append(a.result.Adopted, AdoptedFile{o.Name, to})
	return nil
}

// fileSum is the size and the SHA-256 of a file.
type fileSum struct {
	size   int64
	sha256 string
}

// copyFile copies a file of the store, whose sum is want, unless the copy exists already.
func (s *Service) copyFile(ctx context.Context, from, to string, want fileSum) error {
	there, err := s.sumOf(ctx, to)
	switch {
	case err == nil && there == want:
		return nil
	case err == nil: // another file has the name
		err = s.remove(ctx, to)
	case errors.Is(err, ErrNotFound):
		err = nil
	}
	if err != nil {
		return err
	}
	file, err := s.cfg.Store.Open(ctx, from)
	if err != nil {
		return err
	}
	defer file.Close()
	upload, err := s.cfg.Store.Create(ctx, to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(upload, &cancellable{ctx.Err, file}); err != nil {
		return errors.Join(err, upload.Abort())
	}
	if err := upload.Commit(); err != nil {
		return err
	}
	if there, err = s.sumOf(ctx, to); err != nil || there == want {
		return err
	}
	return errors.Join(fmt.Errorf("the stored copy of %q differs from what was written", from), s.discard(ctx, to))
}

// sumOf reads a file of the store completely and returns its sum.
func (s *Service) sumOf(ctx context.Context, name string) (sum fileSum, err error) {
	file, err := s.cfg.Store.Open(ctx, name)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	m := newHashWriter(io.Discard)
	_, err = io.Copy(m, &cancellable{ctx.Err, file})
	return m.sum(), err
}
