package backup_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// programTables are the tables of a program that had tenants before, with a version table of its
// own.
const programTables = `
	create table public.tenants (uuid text primary key, host text);
	create table public.domains (name text);
	create table public.platform_users (login text);
	create table public.audit_log (message text);
	create table public.backup_runs (path text);
	create table public.goose_db_version (id int, version_id bigint, is_applied boolean, tstamp timestamptz);
	insert into public.tenants values ('x', 'north.example.com');
	insert into public.domains values ('north.example.com');
	insert into public.platform_users values ('root');
	insert into public.audit_log values ('before');
	insert into public.backup_runs values ('/old');
	insert into public.goose_db_version values (1, 1, true, now()), (2, 7, true, now())`

// programRows returns all rows of the program's tables.
const programRows = `select concat_ws(' ',
	(select string_agg(t::text, ',') from public.tenants t),
	(select string_agg(t::text, ',') from public.domains t),
	(select string_agg(t::text, ',') from public.platform_users t),
	(select string_agg(t::text, ',') from public.audit_log t),
	(select string_agg(t::text, ',') from public.backup_runs t),
	(select string_agg(version_id::text, ',') from public.goose_db_version t),
	(select string_agg(relname, ',' order by relname) from pg_class where relnamespace = 'public'::regnamespace))`

// setupBesideProgram returns a fixture in a database whose schema public belongs to another
// program. The registry is in the schema "order", a name that needs quotes.
func setupBesideProgram(t *testing.T) (f *fixture, db *schemactx.DB, untouched func()) {
	t.Helper()
	f = &fixture{pg: pgtest.New(t), home: "order"}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(t.Context(), f.pg.Pool, admin.SetupConfig{
		Roles: f.roles, OwnerPassword: "o",
		RuntimePassword: "r",
	})
	require.NoError(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), programTables)
	require.NoError(t, err)
	rows := func() (all string) {
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), programRows).Scan(&all))
		return all
	}
	before := rows()
	pool := func(login, password string) *pgxpool.Pool {
		p, err := pgxpool.New(context.Background(), f.pg.URLAs(login, password))
		require.NoError(t, err)
		t.Cleanup(p.Close)
		return p
	}
	f.owner = pool(f.roles.Owner(), "o")
	f.connect(t, notes)
	require.NoError(t, f.tenants.Init(t.Context()))
	require.NoError(t, f.tenants.Init(t.Context()), "once more")
	f.path = t.TempDir()
	f.dir, err = backup.OpenDir(f.path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.dir.Close()) })
	db, err = schemactx.New(pool(f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	return f, db, func() { require.Equal(t, before, rows(), "the other program's tables") }
}

func TestTenantOperationsWithTheRegistryInAnotherSchema(t *testing.T) {
	t.Parallel()
	f, db, untouched := setupBesideProgram(t)
	ctx := t.Context()
	north, err := f.tenants.Create(ctx, tenancy.CreateParams{Slug: "north", Domain: "north.example.com"})
	require.NoError(t, err)
	hosts, err := resolver.NewDirectory(ctx, db, resolver.Config{
		RegistrySchema: f.home, Reconcile: time.Hour,
		MissBurst: 1, MissInterval: time.Hour,
	})
	require.NoError(t, err)
	defer hosts.Close()
	_, err = f.tenants.AddDomain(ctx, "north", "n.example.com")
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a notification announces it
		target, err := hosts.Resolve(ctx, "n.example.com")
		return err == nil && target.Tenant().ID == north.ID
	}, time.Minute, 10*time.Millisecond)

	require.NoError(t, schemactx.WithSchema(ctx, north.Schema, func(ctx context.Context) error {
		_, err := db.Exec(ctx, "insert into notes (body) values ('first')")
		return err
	}))
	site := tenanthttp.Handler(hosts, tenanthttp.Routes{Tenant: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			var body string
			_ = db.QueryRow(r.Context(), "select body from notes").Scan(&body)
			_, _ = w.Write([]byte(body))
		})})
	answer := httptest.NewRecorder()
	site.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://n.example.com/", nil))
	require.Equal(t, "first", answer.Body.String())

	report, err := f.runner.UpAll(ctx, f.tenants.Schemas, migrate.UpAllOptions{})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	driftReport, err := drift.Check(ctx, f.runner, []string{f.home}, drift.Options{})
	require.NoError(t, err)
	require.Len(t, driftReport.Results, 1)
	require.Equal(t, drift.Invalid, driftReport.Results[0].State, "the registry is no tenant's schema")

	require.NoError(t, audit.Grant(ctx, f.owner, audit.Rights{
		RegistrySchema: f.home,
		Writers:        []string{f.roles.Public()},
	}))
	log, err := audit.Open(ctx, db, audit.Config{RegistrySchema: f.home})
	require.NoError(t, err)
	require.NoError(t, log.Write(ctx, audit.Entry{Tenant: north.ID, Action: "note"}))
	require.NoError(t, log.Record(ctx, audit.Entry{Tenant: north.ID, Action: "note"}))
	require.NoError(t, log.Close(ctx))
	maintainer, err := audit.NewPartitionMaintainer(f.owner, audit.PartitionMaintainerConfig{RegistrySchema: f.home})
	require.NoError(t, err)
	_, err = maintainer.Maintain(ctx)
	require.NoError(t, err)
	reader, err := audit.NewReader(f.owner, audit.ReaderConfig{RegistrySchema: f.home})
	require.NoError(t, err)
	verified, err := reader.VerifyAll(ctx, audit.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, verified.Problems)
	require.Positive(t, verified.Rows)

	users, err := platformuser.New(f.owner).InSchema(f.home)
	require.NoError(t, err)
	_, err = users.Create(ctx, platformuser.CreateParams{Email: "ada@example.com", Name: "Ada"})
	require.NoError(t, err)

	s := f.service(t, backup.Config{})
	require.NoError(t, expectDone(t, f.schedule(t, backup.Config{}, backup.ScheduleConfig{}),
		backup.ScheduleReport{Due: 1, Done: 1}))
	info, err := s.Backup(ctx, "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Verify(ctx, info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	_, err = s.Clone(ctx, "north", backup.CloneOptions{Slug: "south", Domain: "south.example.com"})
	require.NoError(t, err)
	restored, err := s.Restore(ctx, info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	request, err := f.tenants.RequestConfirm(ctx, "north", restored.Retained, "ada")
	require.NoError(t, err)
	_, err = s.ConfirmRestore(ctx, tenancy.DropParams{Slug: "north", Actor: "ada", Token: request.Token},
		restored.Retained)
	require.NoError(t, err)

	_, err = f.tenants.StartMaintenance(ctx, "south", tenancy.MaintenanceParams{})
	require.NoError(t, err)
	_, err = f.tenants.EndMaintenance(ctx, "south")
	require.NoError(t, err)
	drop, err := f.tenants.RequestDrop(ctx, "south", "ada")
	require.NoError(t, err)
	_, err = f.tenants.Drop(ctx, tenancy.DropParams{Slug: "south", Actor: "ada", Token: drop.Token})
	require.NoError(t, err)
	_, err = s.Restore(ctx, info.Name, backup.RestoreOptions{Slug: "again", Domain: "again.example.com"})
	require.NoError(t, err)
	_, err = s.Erase(ctx, f.token(t, "north"))
	require.NoError(t, err)
	untouched()

	found, err := admin.Check(ctx, f.pg.Pool, admin.CheckConfig{Roles: f.roles})
	require.NoError(t, err)
	for _, finding := range found.Findings {
		require.NotEqual(t, admin.CodeRegistryRights, finding.Code, finding.Message)
	}
}

func TestNoTenantReachesTheRegistryInAnotherSchema(t *testing.T) {
	t.Parallel()
	f, db, _ := setupBesideProgram(t)
	ctx := t.Context()
	north := f.create(t, "north")
	rows, err := f.owner.Query(ctx, `select format('%s.%I', relnamespace::regnamespace, relname) from pg_class
		where relnamespace = quote_ident($1)::regnamespace and relkind in ('r', 'p', 'S')`, f.home)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 15)
	for _, table := range tables {
		for _, sql := range []string{
			"select from " + table, "delete from " + table,
			"insert into " + table + " default values",
		} {
			err := schemactx.WithSchema(ctx, north.Schema, func(ctx context.Context) error {
				_, err := db.Exec(ctx, sql)
				return err
			})
			var refused *pgconn.PgError
			require.ErrorAs(t, err, &refused, sql)
			require.Contains(t, []string{"42501", "42809"}, refused.Code, sql) // 42809: a sequence has no DELETE
		}
	}
	findings := func() (objects []string) {
		report, err := admin.Check(ctx, f.pg.Pool, admin.CheckConfig{Roles: f.roles})
		require.NoError(t, err)
		for _, finding := range report.Findings {
			if finding.Code == admin.CodeRegistryRights {
				require.Equal(t, admin.Refuse, finding.Severity)
				objects = append(objects, finding.Object)
			}
		}
		return objects
	}
	require.Empty(t, findings())
	_, err = f.owner.Exec(ctx, `grant usage on schema "order" to public; grant select on "order".drop_requests to `+
		f.roles.Tenant(north.Schema)+`;
		grant update (host) on "order".domains to public`)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{`schema "order"`, `table "order".drop_requests`, `table "order".domains`},
		findings())
	require.NoError(t, f.tenants.Init(ctx))
	require.NotContains(t, findings(), `schema "order"`, "Init takes PUBLIC's rights away")

	_, err = admin.Provision(ctx, f.owner, f.roles, f.home)
	require.ErrorIs(t, err, admin.ErrTaken)
	_, err = admin.Deprovision(ctx, f.owner, f.roles, f.home, admin.DeprovisionOptions{})
	require.ErrorIs(t, err, schemactx.ErrNotProvisioned)
	var nameErr *schemactx.NameError
	_, err = f.tenants.Create(ctx, tenancy.CreateParams{Slug: "x", Schema: f.home})
	require.ErrorAs(t, err, &nameErr)
	_, err = f.tenants.Rename(ctx, "north", tenancy.RenameParams{Schema: f.home})
	require.ErrorAs(t, err, &nameErr)
}
