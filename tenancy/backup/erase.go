package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// EraseParams selects the tenant to erase, and files to keep for a time.
type EraseParams struct {
	tenancy.DropParams // with the token of [tenancy.Manager.RequestDrop]

	// KeepArchives is the time for which the tenant's files in the store are kept, if a contract or a
	// law requires it, in whole seconds. Afterwards a [Schedule] or [Service.PruneErased] deletes
	// them. Default: 0, they are deleted before the certificate is issued.
	KeepArchives time.Duration
}

// Eraser deletes data of tenants that is outside of their schemas, such as an access log, a search
// index or a mailing list. [Service.Erase] calls it after the tenant was dropped. After a crash it
// calls it again; the second call must return the same result.
type Eraser interface {
	// EraseTenant deletes or pseudonymizes the tenant's data, checks that it did, and returns what was
	// deleted and what is kept for which reason. An error stops the erasure, which can be run again.
	// EraseTenant must be safe for concurrent use.
	EraseTenant(ctx context.Context, data EraseData) (EraseResult, error)
}

// EraserFunc adapts a function to [Eraser].
type EraserFunc func(ctx context.Context, data EraseData) (EraseResult, error)

// EraseTenant calls f.
func (f EraserFunc) EraseTenant(ctx context.Context, data EraseData) (EraseResult, error) {
	return f(ctx, data)
}

// EraseData describes the erased tenant to an [Eraser]. The registry no longer contains the tenant.
type EraseData struct {
	TenantID int64
	Slug     string
	Schemas  []string // all schemas that the tenant ever had, the last one first
	Domains  []string
	Actor    string
}

// EraseResult is the result of an [Eraser].
type EraseResult struct {
	Removed []CertifiedItem
	Kept    []CertifiedItem // Why is set
}

// Erase drops a tenant irreversibly, deletes its archives, calls the erasers, checks that
// everything is gone, and returns the certificate, which the registry stores.
//
// It drops the tenant with [tenancy.Manager.Drop] and all its requirements. It changes nothing
// before the drop has started. After an error or a crash, the same call resumes the erasure. It
// then needs no token if a request of the same actor dropped the tenant. If nothing is left to do,
// it returns the certificate again. If a new tenant has the slug by then, [Service.ResumeErasures]
// finishes the erasure of the former one. A tenant that a request of another actor dropped is not
// erased: its archives stay.
//
// The errors are those of Drop, an [UnadoptedError] before anything is dropped, a [LeftoverError]
// if something still exists, and errors of the store, the erasers and the database.
func (s *Service) Erase(ctx context.Context, p EraseParams) (Certificate, error) {
	fail := func(err error) (Certificate, error) {
		return Certificate{}, fmt.Errorf("erase tenant %q: %w", p.Slug, err)
	}
	if p.KeepArchives < 0 || p.KeepArchives != p.KeepArchives.Truncate(time.Second) {
		return fail(fmt.Errorf("backup: EraseParams.KeepArchives %v is negative or not in whole seconds", p.KeepArchives))
	}
	t, err := s.cfg.Tenants.BySlug(ctx, p.Slug)
	switch {
	case errors.Is(err, tenancy.ErrNotFound):
		return s.resumeErasure(ctx, p.Slug, err)
	case err != nil:
		return fail(err)
	}
	if s.cfg.Store != nil {
		if err := checkAdopted(ctx, s.cfg.Store, t.ID); err != nil {
			return fail(err)
		}
	}
	hosts, err := s.hostsOf(ctx, t.ID)
	if err != nil {
		return fail(err)
	}
	if err := s.recordErasure(ctx, &t, hosts, p, "exists (select from {registry}.tenants where id = $1)"); err != nil {
		return fail(err)
	}
	if _, err := s.cfg.Tenants.Drop(ctx, p.DropParams); err != nil {
		return fail(errors.Join(err, s.cancelErasure(ctx, t.ID, p.Actor)))
	}
	// Record it again: another actor whose erasure was refused may have changed the row since.
	if err := s.recordErasure(ctx, &t, hosts, p, "true"); err != nil {
		return fail(err)
	}
	c, err := s.finishErasure(ctx, t.ID)
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// ResumeErasures finishes erasures whose tenant is already dropped, and returns their certificates.
// An error of one erasure does not stop the others.
func (s *Service) ResumeErasures(ctx context.Context) ([]Certificate, error) {
	ids, err := s.erasures(ctx, "certificate is null and "+authorizedSQL)
	if err != nil {
		return nil, fmt.Errorf("resume erasures: %w", err)
	}
	var done []Certificate
	var errs []error
	for _, id := range ids {
		c, err := s.finishErasure(ctx, id)
		if err != nil {
			errs = append(errs, fmt.Errorf("erase tenant %d: %w", id, err))
			continue
		}
		done = append(done, c)
	}
	return done, errors.Join(errs...)
}

// PruneErased deletes the kept archives of erased tenants whose time is over. It returns their
// names, which are valid with an error too. For a tenant without kept archives it checks the store
// once more a day after the erasure: a process that was killed before it noticed the drop may have
// stored a file. While the clocks of this process and of the registry's server differ by more than
// a minute, it deletes nothing and logs the reason.
func (s *Service) PruneErased(ctx context.Context) (removed []string, err error) {
	now, err := s.readClocks(ctx)
	if err != nil {
		return nil, fmt.Errorf("delete archives of erased tenants: %w", err)
	}
	if w := now.warning(); w != "" {
		s.warnClock(ctx, w)
		return nil, nil
	}
	ids, err := s.erasures(ctx, "archives_until <= now()")
	for _, id := range ids {
		names, err := s.removeAll(ctx, id)
		removed = append(removed, names...)
		if err == nil {
			_, err = s.registry.Exec(ctx, "update {registry}.backup_erasures set archives_until = null where tenant_id = $1", id)
		}
		if err != nil {
			return removed, fmt.Errorf("delete archives of erased tenant %d: %w", id, err)
		}
	}
	if err != nil {
		err = fmt.Errorf("delete archives of erased tenants: %w", err)
	}
	return removed, err
}

// authorizedSQL is a condition on the recorded erasure e: a request of its actor dropped the
// tenant. The recorded row alone is not sufficient, because it is written before the drop is
// accepted or refused.
const authorizedSQL = `not exists (select from {registry}.tenants t where t.id = e.tenant_id)
	and exists (select from {registry}.drop_requests r where r.tenant_id = e.tenant_id
		and r.actor = e.actor and r.schema_name = '' and r.used_at is not null)`

func (s *Service) erasures(ctx context.Context, condition string) ([]int64, error) {
	rows, err := s.registry.Query(ctx,
		"select tenant_id from {registry}.backup_erasures e where "+condition+" order by tenant_id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// resumeErasure continues an erasure whose tenant was dropped already. If there is none with this
// slug, it returns notFound.
func (s *Service) resumeErasure(ctx context.Context, slug string, notFound error) (Certificate, error) {
	fail := func(err error) (Certificate, error) {
		return Certificate{}, fmt.Errorf("erase tenant %q: %w", slug, err)
	}
	var id int64
	var text []byte
	err := s.registry.QueryRow(ctx, `select tenant_id, certificate from {registry}.backup_erasures e
		where slug = $1 and `+authorizedSQL+`
		order by tenant_id desc limit 1`, slug).Scan(&id, &text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fail(notFound)
	case err != nil:
		return fail(err)
	}
	var c Certificate
	if text != nil {
		err = json.Unmarshal(text, &c)
	} else {
		c, err = s.finishErasure(ctx, id)
	}
	if err != nil {
		return fail(err)
	}
	return c, nil
}

func (s *Service) hostsOf(ctx context.Context, id int64) ([]string, error) {
	domains, err := s.cfg.Tenants.Domains(ctx, id)
	hosts := []string{}
	for _, d := range domains {
		hosts = append(hosts, d.Host)
	}
	return hosts, err
}

// recordErasure records what the erasure has to delete, if the SQL condition holds.
func (s *Service) recordErasure(
	ctx context.Context, t *tenancy.Tenant, hosts []string, p EraseParams, condition string,
) error {
	_, err := s.registry.Exec(ctx, `insert into {registry}.backup_erasures
			(tenant_id, slug, actor, schemas, domains, keep_archives)
		select $1, $2, $3, array_agg(name order by name <> $4, name), $5, $6 * interval '1 second'
		from {registry}.schema_names where tenant_id = $1
		having `+condition+`
		on conflict (tenant_id) do update set slug = excluded.slug, actor = excluded.actor, schemas = excluded.schemas,
			domains = excluded.domains, keep_archives = excluded.keep_archives`,
		t.ID, t.Slug, p.Actor, t.Schema, hosts, int64(p.KeepArchives/time.Second))
	return err
}

// cancelErasure deletes the recorded erasure of the actor after the drop was refused. If the drop
// has started, the tenant is dropping or dropped, and the row stays.
func (s *Service) cancelErasure(ctx context.Context, id int64, actor string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_, err := s.registry.Exec(ctx, `delete from {registry}.backup_erasures
		where tenant_id = $1 and actor = $2
		and exists (select from {registry}.tenants where id = $1 and status <> 'dropping')`, id, actor)
	return err
}

// erasure is a recorded erasure.
type erasure struct {
	EraseData
	begun time.Time
	keep  time.Duration
}

// finishErasure runs the steps after the drop. Each step is idempotent.
func (s *Service) finishErasure(ctx context.Context, id int64) (Certificate, error) {
	e, err := s.readErasure(ctx, id)
	if err != nil {
		return Certificate{}, err
	}
	c := s.newCertificate(&e)
	if s.cfg.Store != nil && e.keep == 0 {
		if err := s.eraseFiles(ctx, id, &c); err != nil {
			return Certificate{}, err
		}
	}
	for _, h := range s.cfg.Erasers {
		result, err := h.EraseTenant(ctx, e.EraseData)
		if err != nil {
			return Certificate{}, err
		}
		c.Removed, c.Kept = append(c.Removed, result.Removed...), append(c.Kept, result.Kept...)
	}
	if err := s.checkErased(ctx, &e, &c); err != nil {
		return Certificate{}, err
	}
	if err := s.storeCertificate(ctx, id, &c); err != nil {
		return Certificate{}, err
	}
	s.cfg.Logger.InfoContext(ctx, "tenant erased",
		slog.Int64("id", id), slog.Int("removed", len(c.Removed)), slog.Int("kept", len(c.Kept)))
	return c, nil
}

func (s *Service) readErasure(ctx context.Context, id int64) (erasure, error) {
	e := erasure{EraseData: EraseData{TenantID: id}}
	var seconds int64
	err := s.registry.QueryRow(ctx, `select slug, actor, schemas, domains, begun_at,
			extract(epoch from keep_archives)::bigint
		from {registry}.backup_erasures where tenant_id = $1`, id).Scan(
		&e.Slug, &e.Actor, &e.Schemas, &e.Domains, &e.begun, &seconds)
	e.keep = time.Duration(seconds) * time.Second
	return e, err
}

// eraseFiles deletes the tenant's files in the store and adds them to the certificate.
func (s *Service) eraseFiles(ctx context.Context, id int64, c *Certificate) error {
	unfinished, err := s.sweepStore(ctx, id, farFuture()) // first, so that none of them can still commit
	if err != nil {
		return err
	}
	files, err := s.recordFiles(ctx, id)
	if err == nil {
		_, err = s.removeAll(ctx, id)
	}
	if err != nil {
		return err
	}
	c.Removed = append(c.Removed, certifiedItems("file in the backup store", files)...)
	c.Removed = append(c.Removed, certifiedItems("unfinished file in the backup store", unfinished)...)
	return nil
}

// storeCertificate stores the certificate and the time of the next check of the store.
func (s *Service) storeCertificate(ctx context.Context, id int64, c *Certificate) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	again := c.ArchivesUntil
	// A process that was killed before it noticed the drop may have committed a file: check again
	// later.
	if again.IsZero() && s.cfg.Store != nil {
		again = c.ErasedAt.Add(abandonedAfter)
	}
	_, err = s.registry.Exec(ctx, `update {registry}.backup_erasures
		set certificate = $2, archives_until = nullif($3::timestamptz, $4) where tenant_id = $1`,
		id, text, again, time.Time{})
	return err
}

// recordFiles records the files before they are deleted, so that the certificate also lists files
// that were deleted before a crash.
func (s *Service) recordFiles(ctx context.Context, id int64) (files []string, err error) {
	now, err := s.filesOf(ctx, id)
	if err != nil {
		return nil, err
	}
	err = s.registry.QueryRow(ctx, `update {registry}.backup_erasures
		set files = array(select distinct unnest(files || $2::text[]) order by 1)
		where tenant_id = $1 returning files`, id, now).Scan(&files)
	return files, err
}

// farFuture is a time later than any write, even if the storage's clock is wrong: no upload of an
// erased tenant may commit.
func farFuture() time.Time { return time.Now().AddDate(100, 0, 0) }

// removeAll deletes all files of a tenant, the receipts first, and its unfinished files.
func (s *Service) removeAll(ctx context.Context, id int64) (removed []string, err error) {
	if s.cfg.Store == nil {
		return nil, errNoStore
	}
	if removed, err = s.sweepStore(ctx, id, farFuture()); err != nil {
		return removed, err
	}
	names, err := s.filesOf(ctx, id)
	if err != nil {
		return removed, err
	}
	files, err := s.removeFiles(ctx, names)
	return append(removed, files...), err
}

func (s *Service) filesOf(ctx context.Context, id int64) ([]string, error) {
	prefix, err := s.prefixOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return namesOf(ctx, s.cfg.Store, prefix)
}
