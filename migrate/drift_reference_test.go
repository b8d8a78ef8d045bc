package migrate_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// driftProvisioned is a fixture whose schemas are tenants' of schemactx, and a pool of their owner.
func driftProvisioned(t *testing.T) (fixture, *pgxpool.Pool, schemactx.RoleNames) {
	t.Helper()
	f := setup(t)
	f.exec(t, "drop schema tenant_1; drop schema tenant_2; drop schema tenant_3")
	roles, err := schemactx.NewRoleNames(f.pg.RolePrefix)
	check(t, err)
	_, err = schemactx.Setup(t.Context(), f.pg.Pool, schemactx.SetupConfig{Roles: roles, OwnerPassword: "owner"})
	check(t, err)
	owner, err := pgxpool.New(t.Context(), f.pg.URLAs(roles.Owner(), "owner"))
	check(t, err)
	t.Cleanup(owner.Close)
	for _, schema := range []string{"tenant_1", "tenant_2", "tenant_3"} {
		_, err := schemactx.Provision(t.Context(), owner, roles, schema)
		check(t, err)
	}
	return f, owner, roles
}

func TestDriftOfGrantsButForTheTenantsOwn(t *testing.T) {
	t.Parallel()
	f, owner, roles := driftProvisioned(t)
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{source("app", zoo)}})
	check(t, err)
	schemas := []string{"tenant_1", "tenant_2", "tenant_3"}
	_, err = r.UpAll(t.Context(), migrate.Schemas(schemas...), migrate.UpAllOptions{})
	check(t, err)
	opts := migrate.DriftOptions{FingerprintOptions: migrate.FingerprintOptions{Roles: roles}}
	before := f.world(t)
	expectLines(t, drift(t, r, opts, schemas...))
	if after := f.world(t); after != before {
		t.Errorf("the reference left something:\n%s\nwas\n%s", after, before)
	}

	f.exec(t, "grant select on tenant_1.secrets to "+roles.Tenant("tenant_2"))
	f.exec(t, "revoke insert on tenant_2.secrets from "+roles.Tenant("tenant_2"))
	f.exec(t, "grant usage on schema tenant_3 to public; grant select on tenant_3.goose_db_version to "+roles.Tenant("tenant_3"))
	expectLines(t, drift(t, r, opts, schemas...),
		"tenant_1: table secrets: grants to "+roles.Tenant("tenant_2")+" are SELECT, expected none",
		"tenant_2: table secrets: grants to {tenant} are DELETE,SELECT,UPDATE, expected DELETE,INSERT,SELECT,UPDATE",
		"tenant_3: schema: grants to PUBLIC are USAGE, expected none",
		"tenant_3: table goose_db_version: grants to {tenant} are SELECT, expected none",
	)
}

// world is all schemas, roles and default privileges.
func (f fixture) world(t *testing.T) (all string) {
	t.Helper()
	f.scan(t, `select (select string_agg(nspname, ' ' order by nspname) from pg_namespace) || ' ' ||
		(select count(*) || ' roles' from pg_roles where starts_with(rolname::text, $$`+f.pg.RolePrefix+`$$)) || ' ' ||
		(select count(*) || ' default privileges' from pg_default_acl)`, &all)
	return all
}

var driftConcurrent = map[string]string{
	"00001_a.sql": "create table a (id int);",
	"00002_b.sql": "-- +goose NO TRANSACTION\ncreate index concurrently a_id on a (id);",
	"00003_c.sql": "create table c (id int references a2 (id));",
}

func TestDriftReferenceOfMigrationsWithoutTransaction(t *testing.T) {
	t.Parallel()
	f, owner, roles := driftProvisioned(t)
	files := maps.Clone(driftConcurrent)
	delete(files, "00003_c.sql")
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
	check(t, err)
	check(t, r.Migrate(t.Context(), "tenant_1"))
	opts := migrate.DriftOptions{FingerprintOptions: migrate.FingerprintOptions{Roles: roles}}
	before := f.world(t)

	// Two that a crash has left, one of which somebody else's session still uses, and one that is none of ours.
	for _, sql := range []string{
		"create schema pgtenant_scratch_left", "comment on schema pgtenant_scratch_left is 'pgtenant: builds a reference, may be dropped'",
		"create table pgtenant_scratch_left.x ()", "create role " + roles.Tenant("pgtenant_scratch_left"),
		"create schema pgtenant_scratch_used", "comment on schema pgtenant_scratch_used is 'pgtenant: builds a reference, may be dropped'",
		"create schema pgtenant_scratch_mine",
	} {
		_, err := owner.Exec(t.Context(), sql)
		check(t, err)
	}
	user, err := f.pg.Pool.Acquire(t.Context())
	check(t, err)
	_, err = user.Exec(t.Context(), "select pg_advisory_lock(hashtextextended('pgtenant.scratch.pgtenant_scratch_used', 0))")
	check(t, err)
	expectLines(t, drift(t, r, opts, "tenant_1"))
	var left string
	f.scan(t, "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname like 'pgtenant%'", &left)
	if left != "pgtenant_scratch_mine pgtenant_scratch_used" {
		t.Errorf("left: %s", left)
	}
	_, err = user.Exec(t.Context(), "select pg_advisory_unlock_all()")
	check(t, err)
	user.Release()
	f.exec(t, "drop index tenant_1.a_id; create index a_id on tenant_1.a (id); drop schema pgtenant_scratch_mine")
	expectLines(t, drift(t, r, opts, "tenant_1")) // made in another way, but the same
	f.exec(t, "update pg_index set indisvalid = false where indexrelid = 'tenant_1.a_id'::regclass")
	expectLines(t, drift(t, r, opts, "tenant_1"), "tenant_1: table a: index a_id: index is not valid, expected not set")
	if after := f.world(t); after != before {
		t.Errorf("the reference left something:\n%s\nwas\n%s", after, before)
	}
}

func TestDriftReferenceThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	f, owner, roles := driftProvisioned(t)
	before := f.world(t)
	inTx := maps.Clone(driftConcurrent)
	inTx["00002_b.sql"] = "create index a_id on a (id);"
	for name, files := range map[string]map[string]string{"in a transaction": inTx, "without": driftConcurrent} {
		r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
		check(t, err)
		_, err = r.Drift(t.Context(), []string{"tenant_1"}, migrate.DriftOptions{FingerprintOptions: migrate.FingerprintOptions{Roles: roles}})
		var failure *migrate.Error
		var pgErr *pgconn.PgError
		if !errors.As(err, &failure) || failure.Version != 3 || !errors.As(err, &pgErr) || pgErr.Code != "42P01" {
			t.Errorf("%s: %v", name, err)
		}
		if after := f.world(t); after != before {
			t.Errorf("%s: left\n%s\nwas\n%s", name, after, before)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = r.Reference(cancelled, migrate.FingerprintOptions{Roles: roles})
		expectIs(t, err, context.Canceled)
	}
}

func TestDriftReferenceWithGoMigrations(t *testing.T) {
	t.Parallel()
	f, owner, roles := driftProvisioned(t)
	opts := migrate.DriftOptions{FingerprintOptions: migrate.FingerprintOptions{Roles: roles}}
	before := f.world(t)
	sql := "create table a (id int)"
	src := source("app", map[string]string{"00001_b.sql": "create table b (id int);"})
	src.Go = []migrate.GoMigration{{Version: 2, Name: "a", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	}}}
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{src}})
	check(t, err)
	check(t, r.Migrate(t.Context(), "tenant_1"))
	expectLines(t, drift(t, r, opts, "tenant_1"))
	_, err = owner.Exec(t.Context(), "drop table tenant_1.a")
	check(t, err)
	expectLines(t, drift(t, r, opts, "tenant_1"), "tenant_1: table a is missing")

	sql = "commit"
	_, err = r.Reference(t.Context(), opts.FingerprintOptions)
	expectIs(t, err, migrate.ErrTransactionEnded)
	if after := f.world(t); after != before {
		t.Errorf("a migration that commits left\n%s\nwas\n%s", after, before)
	}
	sql = "create table a (id int)"
	_, err = r.Reference(t.Context(), opts.FingerprintOptions)
	check(t, err)
	if after := f.world(t); after != before {
		t.Errorf("left\n%s\nwas\n%s", after, before)
	}
}
