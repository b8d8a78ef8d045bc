package tenancy_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// destruction is an operation that drops rows of a tenant, with the request that it needs.
type destruction struct {
	request func(slug string) (tenancy.DropRequest, error)
	do      func(p tenancy.DropParams) error
}

// destructions returns all operations that drop rows, for a tenant with a retained schema.
func destructions(t *testing.T, m *tenancy.Manager, retained string) map[string]destruction {
	return map[string]destruction{
		"drop": {
			func(slug string) (tenancy.DropRequest, error) { return m.RequestDrop(t.Context(), slug, actor) },
			func(p tenancy.DropParams) error { _, err := m.Drop(t.Context(), p); return err },
		},
		"confirm": {
			func(slug string) (tenancy.DropRequest, error) {
				return m.RequestConfirm(t.Context(), slug, retained, actor)
			},
			func(p tenancy.DropParams) error { _, err := m.ConfirmReplacement(t.Context(), p, retained); return err },
		},
	}
}

func TestFourEyesRefuseDropByOnePerson(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.create(t, "b")
	f.replace(t, "a")
	m := f.fourEyesManager(t)
	operations := destructions(t, m, a.Schema)
	approved := func(operation, slug string) tenancy.DropRequest {
		r, err := operations[operation].request(slug)
		require.NoError(t, err)
		_, err = m.ApproveDrop(t.Context(), r.ID, "bob@example.com")
		require.NoError(t, err)
		return r
	}
	for name, operation := range operations {
		other := "confirm"
		if name == other {
			other = "drop"
		}
		unapproved, err := operation.request("a")
		require.NoError(t, err)
		expired, early := approved(name, "a"), approved(name, "a")
		_, err = f.pg.Pool.Exec(t.Context(), "update public.drop_requests set expires_at = now() where id = $1", expired.ID)
		require.NoError(t, err)
		_, err = f.pg.Pool.Exec(t.Context(), `update public.drop_requests set requested_at = requested_at + interval '1 year',
			expires_at = expires_at + interval '1 year' where id = $1`, early.ID)
		require.NoError(t, err)
		_, err = m.ApproveDrop(t.Context(), early.ID, "bob@example.com")
		require.ErrorIs(t, err, tenancy.ErrDropExpired)
		_, err = m.ApproveDrop(t.Context(), unapproved.ID, actor)
		require.ErrorIs(t, err, tenancy.ErrSelfApproval)
		_, err = m.ApproveDrop(t.Context(), unapproved.ID, "ADA@example.com")
		require.ErrorIs(t, err, tenancy.ErrSelfApproval)
		before := f.snapshot(t)
		for attempt, c := range map[string]struct {
			p    tenancy.DropParams
			want error
		}{
			"no token":    {tenancy.DropParams{Slug: "a", Actor: actor}, tenancy.ErrDropToken},
			"wrong token": {tenancy.DropParams{Slug: "a", Actor: actor, Token: "x"}, tenancy.ErrDropToken},
			"request without approval": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: unapproved.Token}, tenancy.ErrDropNotApproved,
			},
			"expired request": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: expired.Token}, tenancy.ErrDropExpired,
			},
			"request from the future": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: early.Token}, tenancy.ErrDropExpired,
			},
			"another actor": {
				tenancy.DropParams{Slug: "a", Actor: "bob@example.com", Token: unapproved.Token}, tenancy.ErrDropToken,
			},
			"approved request for another operation": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: approved(other, "a").Token}, tenancy.ErrDropToken,
			},
			"approved request for another tenant": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: approved("drop", "b").Token}, tenancy.ErrDropToken,
			},
		} {
			err := operation.do(c.p)
			require.ErrorIs(t, err, c.want, "%s %s", name, attempt)
			require.Equal(t, before, f.snapshot(t), "%s %s", name, attempt)
		}
	}
	for _, name := range []string{"confirm", "drop"} {
		r := approved(name, "a")
		require.NoError(t, operations[name].do(tenancy.DropParams{Slug: "a", Actor: actor, Token: r.Token}), name)
	}
	f.expectInvariants(t)
}

func TestActorNamesAreNormalized(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	m := f.fourEyesManager(t)
	for name, others := range map[string][]string{
		"José Ruiz":       {"JOSÉ RUIZ", "Jose\u0301 Ruiz", "JOSE\u0301  ruiz", "José   Ruiz"},
		"ada@example.com": {"Ada@Example.COM", "\uff41da@example.com", "\uff21DA@example.com", "ada\uff20example.com"},
		"o\ufb03ce":       {"office", "OFFICE"},
		"Ωρα":             {"\u2126ρα", "ωΡΑ"},
	} {
		r, err := m.RequestDrop(t.Context(), "a", name)
		require.NoError(t, err)
		for _, other := range others {
			_, err = m.ApproveDrop(t.Context(), r.ID, other)
			require.ErrorIs(t, err, tenancy.ErrSelfApproval, "%+q as %+q", name, other)
		}
		for _, refused := range []string{
			"\u200b", "\u00ad", "\u2060", "\ufe0f", "x\u00a0y", "\u202e", "\u034f", "\u115f", "\u3164", "\uffa0",
			"\u2800", "\U000e0041", "\u0430", "\u03bf", "\u0561", " b\u0435n",
		} {
			_, err = m.ApproveDrop(t.Context(), r.ID, "x"+refused)
			var field *tenancy.FieldError
			require.ErrorAs(t, err, &field, "%+q", refused)
		}
	}
	for _, name := range []string{
		"Zoë Łuczak", "Иван Петров (ivan@example.com)", "Νίκος 7", "王小明", "Nguyễn Văn Anh", "ada lovelace",
	} {
		r, err := m.RequestDrop(t.Context(), "a", actor)
		require.NoError(t, err)
		_, err = m.ApproveDrop(t.Context(), r.ID, name)
		require.NoError(t, err, name)
	}
}

// One person can run every other operation, and the rows of both schemas remain.
func TestOtherOperationsKeepRows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.expectUsable(t, a)
	replaced := f.replace(t, "a")
	m := f.fourEyesManager(t)
	unapproved := request(t, m, "a")
	for name, do := range map[string]func() error{
		"sweep":  func() error { _, err := m.SweepStagedSchemas(t.Context()); return err },
		"resume": func() error { _, err := m.Resume(t.Context(), "a"); return err },
		"maintenance": func() error {
			_, err := m.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{})
			return err
		},
		"end maintenance": func() error { _, err := m.EndMaintenance(t.Context(), "a"); return err },
		"revert":          func() error { _, err := m.RevertReplacement(t.Context(), "a", a.Schema); return err },
		"slug":            func() error { _, err := m.Rename(t.Context(), "a", tenancy.RenameParams{Slug: "b"}); return err },
		"slug back":       func() error { _, err := m.Rename(t.Context(), "b", tenancy.RenameParams{Slug: "a"}); return err },
		"replace": func() error {
			s, err := m.StageReplacement(t.Context(), "a")
			if err == nil {
				_, err = s.Replace(t.Context())
				err = errors.Join(err, s.Close(t.Context()))
			}
			return err
		},
		"create": func() error {
			_, err := m.Create(t.Context(), tenancy.CreateParams{Slug: "a", Schema: a.Schema})
			return err
		},
		"drop":    func() error { _, err := m.Drop(t.Context(), unapproved); return err },
		"confirm": func() error { _, err := m.ConfirmReplacement(t.Context(), unapproved, a.Schema); return err },
	} {
		t.Logf("%s: %v", name, do()) // some are refused, depending on the order
		var rows int
		auxiliary, err := m.AuxiliarySchemas(t.Context())
		require.NoError(t, err)
		require.Len(t, auxiliary, 1, name)
		now, err := m.ByID(t.Context(), a.ID)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{a.Schema, replaced.Schema}, []string{now.Schema, auxiliary[0].Schema}, name)
		for _, schema := range []string{now.Schema, auxiliary[0].Schema} {
			require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from "+schema+".notes").Scan(&rows))
			require.Positive(t, rows, name)
		}
	}
}

// The configuration at the time of the drop decides, not that at the time of the request.
func TestDropUsesCurrentConfig(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	before, _ := f.dropManager(t, tenancy.DropConfig{})
	p := request(t, before, "a")
	_, err := f.tenants.Drop(t.Context(), p)
	require.ErrorIs(t, err, tenancy.ErrDropDisabled)
	now := f.fourEyesManager(t)
	_, err = now.Drop(t.Context(), p)
	require.ErrorIs(t, err, tenancy.ErrDropNotApproved)
	stricter, _ := f.dropManager(t, backedUp(func() time.Time { return time.Time{} }))
	_, err = stricter.Drop(t.Context(), p)
	require.ErrorIs(t, err, tenancy.ErrNoFreshBackup)
}

// Later backups of the tenant do not contain the rows of a retained schema.
func TestDropNeedsBackupOfEachSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	backups := &schemaBackups{last: time.Now(), of: map[string]time.Time{}}
	m, _ := f.dropManager(t, tenancy.DropConfig{Backups: backups})
	retained, err := m.RetainedSchema(t.Context(), "a")
	require.NoError(t, err)
	now, err := m.BySlug(t.Context(), "a")
	require.NoError(t, err)
	backups.of[now.Schema] = backups.last
	before := f.snapshot(t)
	p := request(t, m, "a")
	for what, at := range map[string]time.Time{
		"none":                 {},
		"too old, not by much": retained.Since.Add(-tenancy.DefaultMaxBackupAge - time.Second),
	} {
		backups.of[a.Schema] = at
		_, err = m.Drop(t.Context(), p)
		var old *tenancy.BackupError
		require.ErrorAs(t, err, &old, what)
		require.Equal(t, a.Schema, old.Schema, what)
		require.Equal(t, before, f.snapshot(t), what)
	}
	backups.of[a.Schema] = retained.Since
	for what, at := range map[string]time.Time{
		"only of the retained schema": {},
		"too old of the tenant's":     time.Now().Add(-tenancy.DefaultMaxBackupAge - time.Minute),
	} {
		backups.of[now.Schema] = at
		_, err = m.Drop(t.Context(), p)
		var old *tenancy.BackupError
		require.ErrorAs(t, err, &old, what)
		require.Empty(t, old.Schema, what)
		require.Equal(t, before, f.snapshot(t), what)
	}
	backups.of[now.Schema] = backups.last
	_, err = m.Drop(t.Context(), p)
	require.NoError(t, err)
	require.Empty(t, f.leftovers(t, now))
	f.expectInvariants(t)
}

// A registry of an earlier release can have two retained schemas of a tenant.
func TestDropNeedsBackupOfEveryRetainedSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	f.exec(t, "insert into public.schema_names (name, tenant_id) values ('older', $1)", a.ID)
	f.exec(t, `insert into public.side_schemas (schema_name, tenant_id, used, since)
		values ('older', $1, true, now() - interval '1 hour')`, a.ID)
	now, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	backups := &schemaBackups{last: time.Now(), of: map[string]time.Time{now.Schema: time.Now()}}
	m, _ := f.dropManager(t, tenancy.DropConfig{Backups: backups})
	p := request(t, m, "a")
	before := f.snapshot(t)
	for _, without := range []string{"older", a.Schema} {
		backups.of["older"], backups.of[a.Schema] = time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)
		delete(backups.of, without)
		_, err := m.Drop(t.Context(), p)
		var old *tenancy.BackupError
		require.ErrorAs(t, err, &old, without)
		require.Equal(t, without, old.Schema)
		require.Equal(t, before, f.snapshot(t), without)
	}
}

// schemaBackups has the times of the backups of a tenant and of each of its schemas.
type schemaBackups struct {
	last time.Time
	of   map[string]time.Time
}

func (b *schemaBackups) LastBackup(context.Context, *tenancy.Tenant) (time.Time, error) {
	return b.last, nil
}

func (b *schemaBackups) LastBackupOf(
	_ context.Context,
	_ *tenancy.Tenant,
	schema string,
	before time.Time,
) (time.Time, error) {
	if last := b.of[schema]; last.Before(before) {
		return last, nil
	}
	return time.Time{}, nil
}

// A release before RequestConfirm ignores the schema of a request. It must not accept the token of
// a confirmation for a drop.
func TestConfirmTokenIsNotADropTokenForOlderReleases(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	m := f.fourEyesManager(t)
	finds := func(r tenancy.DropRequest) (found bool) {
		hash := sha256.Sum256([]byte(r.Token))
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select exists (select from public.drop_requests
			where token_hash = $1 and tenant_id = $2 and actor = $3 and used_at is null)`, hash[:], a.ID, actor).Scan(&found))
		return found
	}
	drop, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	require.True(t, finds(drop))
	confirm, err := m.RequestConfirm(t.Context(), "a", a.Schema, actor)
	require.NoError(t, err)
	require.False(t, finds(confirm))
}

// A confirmation has the same other requirements as a drop.
func TestConfirmHasTheRequirementsOfDrop(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	_, err := f.tenants.ConfirmReplacement(t.Context(), tenancy.DropParams{Slug: "a", Actor: actor}, a.Schema)
	require.ErrorIs(t, err, tenancy.ErrDropDisabled)
	_, err = f.tenants.RequestConfirm(t.Context(), "a", a.Schema, actor)
	require.ErrorIs(t, err, tenancy.ErrDropDisabled)

	refused := errors.New("wrong code")
	backedUp, asked := time.Time{}, tenancy.ApprovalData{}
	approve := refused
	m, events := f.dropManager(t, tenancy.DropConfig{
		Backups: tenancy.BackupsFunc(func(context.Context, *tenancy.Tenant) (time.Time, error) { return backedUp, nil }),
		Approve: tenancy.ApproverFunc(func(_ context.Context, data tenancy.ApprovalData) error {
			asked = data
			return approve
		}),
	})
	for _, schema := range []string{"", "tenant_77", "a\x00b"} {
		_, err = m.RequestConfirm(t.Context(), "a", schema, actor)
		require.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	}
	before := f.snapshot(t)
	r, err := m.RequestConfirm(t.Context(), "a", a.Schema, actor)
	require.NoError(t, err)
	require.Equal(t, a.Schema, r.Schema)
	require.Positive(t, r.Contents.Tables)
	require.Empty(t, r.Contents.Domains)
	p := tenancy.DropParams{Slug: "a", Actor: actor, Token: r.Token}
	retained, err := m.RetainedSchema(t.Context(), "a")
	require.NoError(t, err)
	for what, at := range map[string]time.Time{
		"none":                 {},
		"of the replacement":   time.Now(),
		"a second too late":    retained.Since.Add(time.Second),
		"too old, not by much": retained.Since.Add(-tenancy.DefaultMaxBackupAge - time.Second),
	} {
		backedUp = at
		_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
		var old *tenancy.BackupError
		require.ErrorAs(t, err, &old, what)
		require.Equal(t, a.Schema, old.Schema, what)
		require.ErrorIs(t, err, tenancy.ErrNoFreshBackup, what)
	}
	backedUp = retained.Since.Add(-tenancy.DefaultMaxBackupAge)
	_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
	require.ErrorIs(t, err, refused)
	require.Equal(t, a.Schema, asked.Request.Schema)
	require.Equal(t, before, f.snapshot(t))
	approve = nil
	_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
	require.NoError(t, err)
	_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
	require.ErrorIs(t, err, tenancy.ErrNoRetainedSchema)
	last := events.all[len(events.all)-2]
	require.Equal(t, tenancy.DropDone, last.Phase)
	require.Equal(t, a.Schema, last.Schema)
	f.expectInvariants(t)
}
