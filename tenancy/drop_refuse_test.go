package tenancy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestDropIsDisabledByDefault(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	enabled, _ := f.dropManager(t, tenancy.DropConfig{})
	params := request(t, enabled, "a")
	events := &dropEvents{}
	m := f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop.Notify = events.notify })
	before := f.snapshot(t)
	_, err := m.RequestDrop(t.Context(), "a", actor)
	assert.ErrorIs(t, err, tenancy.ErrDropDisabled)
	_, err = m.ApproveDrop(t.Context(), 1, "bob")
	assert.ErrorIs(t, err, tenancy.ErrDropDisabled)
	_, err = m.Drop(t.Context(), params)
	assert.ErrorIs(t, err, tenancy.ErrDropDisabled)
	for i, e := range events.drain() {
		want := []tenancy.Op{tenancy.OpRequestDrop, tenancy.OpApproveDrop, tenancy.OpDrop}[i]
		assert.Equal(t, tenancy.DropRefused, e.Phase)
		assert.Equal(t, want, e.Op)
		assert.ErrorIs(t, e.Err, tenancy.ErrDropDisabled)
	}
	assert.Equal(t, before, f.snapshot(t))
}

// Every refusal is reported with its actor and changes nothing.
func TestDropRefuses(t *testing.T) {
	t.Parallel()
	shared := setup(t)
	shared.create(t, "a")
	shared.create(t, "b")
	for name, c := range map[string]struct {
		config tenancy.DropConfig
		setUp  string // SQL, before the drop
		change func(p *tenancy.DropParams)
		want   error
	}{
		"a wrong token": {
			change: func(p *tenancy.DropParams) { p.Token = strings.Repeat("A", 43) }, want: tenancy.ErrDropToken,
		},
		"no token":            {change: func(p *tenancy.DropParams) { p.Token = "" }, want: tenancy.ErrDropToken},
		"more than the token": {change: func(p *tenancy.DropParams) { p.Token += " " }, want: tenancy.ErrDropToken},
		"another actor":       {change: func(p *tenancy.DropParams) { p.Actor = "bob" }, want: tenancy.ErrDropToken},
		"an actor in capitals": {
			change: func(p *tenancy.DropParams) { p.Actor = strings.ToUpper(actor) }, want: tenancy.ErrDropToken,
		},
		"another tenant":   {change: func(p *tenancy.DropParams) { p.Slug = "b" }, want: tenancy.ErrDropToken},
		"a missing tenant": {change: func(p *tenancy.DropParams) { p.Slug = "c" }, want: tenancy.ErrNotFound},
		"public":           {change: func(p *tenancy.DropParams) { p.Slug = "public" }, want: tenancy.ErrNotFound},
		"a slug of another tenant": {
			setUp: `update public.tenants set slug = 'x' where slug = 'a';
				update public.tenants set slug = 'a' where slug = 'b'`,
			want: tenancy.ErrDropToken,
		},
		"an expired request": {setUp: "update public.drop_requests set expires_at = now()", want: tenancy.ErrDropExpired},
		"a used token":       {setUp: "update public.drop_requests set used_at = now()", want: tenancy.ErrDropToken},
		"an unfinished rename": {
			setUp: `insert into public.registry_operations (tenant_id, operation, step, arguments)
				select id, 'rename', 'schema', '{"schema": "x"}' from public.tenants where slug = 'a'`,
			want: tenancy.ErrBusy,
		},
		"a dependent view": {
			setUp: "create view public.report as select * from tenant_1.notes", want: &admin.DependentsError{},
		},
		"the schema public": {
			setUp: `alter table public.tenants
					drop constraint tenants_schema_name_check, drop constraint tenants_schema_name_fkey;
				update public.tenants set schema_name = 'public' where slug = 'a'`,
			want: &schemactx.NameError{},
		},
		"no approval": {config: tenancy.DropConfig{FourEyes: true}, want: tenancy.ErrDropNotApproved},
		"an approver": {
			config: tenancy.DropConfig{Approve: tenancy.ApproverFunc(func(_ context.Context, data tenancy.ApprovalData) error {
				if data.Proof == "right" && data.Actor == actor && data.Tenant.Slug == "a" &&
					data.Request.ID != 0 && data.Request.Token == "" {
					return nil
				}
				return errWrongProof
			})},
			change: func(p *tenancy.DropParams) { p.Proof = "wrong" }, want: errWrongProof,
		},
		"no backup": {config: backedUp(func() time.Time { return time.Time{} }), want: &tenancy.BackupError{}},
		"an old backup": {
			config: backedUp(func() time.Time { return time.Now().Add(-25 * time.Hour) }), want: tenancy.ErrNoFreshBackup,
		},
		"a backup from the future": {
			config: backedUp(func() time.Time { return time.Now().Add(time.Hour) }), want: tenancy.ErrNoFreshBackup,
		},
		"an error of the backup server": {
			config: tenancy.DropConfig{Backups: tenancy.BackupsFunc(func(context.Context, *tenancy.Tenant) (time.Time, error) {
				return time.Now(), errBackupServer
			})}, want: errBackupServer,
		},
		"no actor":           {change: func(p *tenancy.DropParams) { p.Actor = "" }, want: &tenancy.FieldError{}},
		"a space at the end": {change: func(p *tenancy.DropParams) { p.Actor = actor + " " }, want: &tenancy.FieldError{}},
		"two lines":          {change: func(p *tenancy.DropParams) { p.Actor = "a\nb" }, want: &tenancy.FieldError{}},
		"a long actor": {
			change: func(p *tenancy.DropParams) { p.Actor = strings.Repeat("a", 201) }, want: &tenancy.FieldError{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := shared
			if c.setUp != "" {
				f = setup(t)
				f.create(t, "a")
				f.create(t, "b")
			}
			m, events := f.dropManager(t, c.config)
			params := request(t, m, "a")
			if c.setUp != "" {
				_, err := f.pg.Pool.Exec(t.Context(), c.setUp)
				require.NoError(t, err)
			}
			if c.change != nil {
				c.change(&params)
			}
			before := f.snapshot(t)
			events.drain()
			_, err := m.Drop(t.Context(), params)
			expectKind(t, err, c.want)
			if all := events.drain(); assert.Len(t, all, 1, "drop events") {
				assert.Equal(t, tenancy.DropRefused, all[0].Phase)
				assert.Equal(t, params.Actor, all[0].Actor)
				assert.Equal(t, params.Slug, all[0].Slug)
				assert.ErrorIs(t, all[0].Err, err)
			}
			assert.Equal(t, before, f.snapshot(t))
		})
	}
}

var (
	errWrongProof   = errors.New("wrong proof")
	errBackupServer = errors.New("the backup server is not reachable")
)

// backedUp returns a configuration whose backups report last.
func backedUp(last func() time.Time) tenancy.DropConfig {
	return tenancy.DropConfig{Backups: tenancy.BackupsFunc(func(context.Context, *tenancy.Tenant) (time.Time, error) {
		return last(), nil
	})}
}

// expectKind expects the error want or, for some types, an error of the same type.
func expectKind(t *testing.T, err, want error) {
	t.Helper()
	ok := errors.Is(err, want)
	for _, kind := range []any{
		new(*admin.DependentsError), new(*schemactx.NameError), new(*tenancy.BackupError), new(*tenancy.FieldError),
	} {
		if errors.As(want, kind) {
			ok = errors.As(err, kind)
		}
	}
	assert.True(t, ok, "got %v, want %v", err, want)
}

func TestRequestDropRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, events := f.dropManager(t, tenancy.DropConfig{})
	_, err := m.RequestDrop(t.Context(), "missing", actor)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	_, err = m.RequestDrop(t.Context(), "public", actor)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	f.create(t, "a")
	_, err = m.RequestDrop(t.Context(), "a", "")
	expectKind(t, err, &tenancy.FieldError{})
	_, err = f.pg.Pool.Exec(
		t.Context(),
		`alter table public.tenants drop constraint tenants_schema_name_check, drop constraint tenants_schema_name_fkey;
		update public.tenants set schema_name = 'public'`,
	)
	require.NoError(t, err)
	_, err = m.RequestDrop(t.Context(), "a", actor)
	expectKind(t, err, &schemactx.NameError{})
	events.expectPhases(t, tenancy.DropRefused, tenancy.DropRefused, tenancy.DropRefused, tenancy.DropRefused)
	var requests int
	require.NoError(t, f.owner.QueryRow(t.Context(), "select count(*) from public.drop_requests").Scan(&requests))
	assert.Zero(t, requests, "drop requests")
}

func TestFourEyesDropNeedsApproval(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, events := f.dropManager(t, tenancy.DropConfig{FourEyes: true})
	f.create(t, "a")
	r, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	params := tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor}
	for _, self := range []string{actor, strings.ToUpper(actor)} {
		_, err = m.ApproveDrop(t.Context(), r.ID, self)
		assert.ErrorIs(t, err, tenancy.ErrSelfApproval)
	}
	_, err = m.ApproveDrop(t.Context(), r.ID+1, "bob")
	assert.ErrorIs(t, err, tenancy.ErrDropRequest)
	_, err = m.ApproveDrop(t.Context(), r.ID, "")
	expectKind(t, err, &tenancy.FieldError{})
	_, err = m.Drop(t.Context(), params)
	assert.ErrorIs(t, err, tenancy.ErrDropNotApproved)

	events.drain()
	approved, err := m.ApproveDrop(t.Context(), r.ID, "bob")
	require.NoError(t, err)
	assert.Equal(t, "bob", approved.ApprovedBy)
	assert.Empty(t, approved.Token)
	assert.Equal(t, "a", approved.Tenant.Slug)
	again, err := m.ApproveDrop(t.Context(), r.ID, "carol")
	assert.NoError(t, err)
	assert.Equal(t, "bob", again.ApprovedBy)
	other := request(t, m, "a") // another request, without approval
	_, err = m.Drop(t.Context(), other)
	assert.ErrorIs(t, err, tenancy.ErrDropNotApproved)
	_, err = m.Drop(t.Context(), params)
	require.NoError(t, err)
	events.expectPhases(t, tenancy.DropApproved, tenancy.DropApproved, tenancy.DropRequested, tenancy.DropRefused,
		tenancy.DropStarted, tenancy.DropDone)
	_, err = m.ApproveDrop(t.Context(), r.ID, "bob")
	assert.ErrorIs(t, err, tenancy.ErrDropRequest)
}

func TestExpiredDropRequestCannotBeApproved(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	f.create(t, "a")
	r, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	_, err = f.owner.Exec(t.Context(), "update public.drop_requests set expires_at = now()")
	require.NoError(t, err)
	_, err = m.ApproveDrop(t.Context(), r.ID, "bob")
	assert.ErrorIs(t, err, tenancy.ErrDropExpired)
}

func TestDatabaseRefusesSelfApproval(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	f.create(t, "a")
	request(t, m, "a")
	_, err := f.owner.Exec(t.Context(), "update public.drop_requests set approved_by = upper(actor)")
	assert.Error(t, err)
}

// A drop that continues does not check the backup again: there is no complete tenant to back up.
func TestContinuedDropNeedsNoNewBackup(t *testing.T) {
	t.Parallel()
	f := setup(t)
	age := time.Duration(0)
	m, _ := f.dropManager(t, backedUp(func() time.Time { return time.Now().Add(-age) }))
	a := f.create(t, "a")
	stop := errors.New("stop")
	stopping := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Drop = backedUp(time.Now)
		cfg.Drop.Enabled = true
		cfg.Hooks.Before = failBefore("delete", stop)
	})
	_, err := stopping.Drop(t.Context(), request(t, m, "a"))
	assert.ErrorIs(t, err, stop)
	age = 48 * time.Hour
	_, err = m.Drop(t.Context(), request(t, m, "a"))
	require.NoError(t, err)
	assert.Empty(t, f.leftovers(t, a))
}

// If an object depends on the schema after the check, the drop fails and the tenant is active
// again.
func TestDropRefusedAfterMarkReactivatesTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Hooks.After = func(ctx context.Context, data tenancy.StepData) {
			if data.Step != "mark" {
				return
			}
			_, err := f.pg.Pool.Exec(ctx, "create view public.report as select * from "+a.Schema+".notes")
			assert.NoError(t, err)
		}
	})
	_, err := m.Drop(t.Context(), request(t, m, "a"))
	expectKind(t, err, &admin.DependentsError{})
	found, err := m.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, found.Status)
	f.expectUsable(t, a)
}

func TestNewRefusesInvalidDropConfig(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, cfg := range map[string]tenancy.DropConfig{
		"too long":          {TTL: tenancy.MaxDropTTL + 1},
		"negative":          {TTL: -1},
		"microseconds":      {TTL: time.Microsecond},
		"negative age":      {MaxBackupAge: -1},
		"age of no backups": {MaxBackupAge: time.Hour},
	} {
		_, err := tenancy.New(f.owner, tenancy.Config{Migrator: f.migrator, Drop: cfg})
		assert.Error(t, err, name)
	}
}
