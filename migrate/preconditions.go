package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// wrongLoginSQL returns the owner role of one of the schemas, or of the database, if the session
// works as a superuser and the owner role is no superuser. Otherwise it returns no row.
const wrongLoginSQL = `select current_user::text, owner from (
		select 1, o.rolname::text from pg_catalog.pg_namespace n join pg_catalog.pg_roles o on o.oid = n.nspowner
		where n.nspname = any($1::text[]::name[]) and n.nspname <> 'public' and not o.rolsuper
		union all select 2, rolname from pg_catalog.pg_roles where rolname = $2::text and not rolsuper
		order by 1 limit 1
	) as o(rank, owner)
	where (select rolsuper from pg_catalog.pg_roles where rolname = current_user)`

// checkLogin returns a [schemactx.LoginError] if conn works as a superuser and the schemas, or the
// database, have an owner role. Objects that the superuser created would not belong to the owner
// role, which could neither migrate nor grant them later. checkLogin needs no round trip if the
// server has reported that the role is no superuser.
func (r *Runner) checkLogin(ctx context.Context, conn *pgx.Conn, schemas ...string) error {
	if conn.PgConn().ParameterStatus("is_superuser") == "off" {
		return nil
	}
	rows, err := conn.Query(ctx, wrongLoginSQL, pgx.QueryExecModeExec, schemas, r.cfg.Roles.Owner())
	if err != nil {
		return fmt.Errorf("look at the login of the migrations: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Login, Owner string }])
	if err != nil {
		return fmt.Errorf("look at the login of the migrations: %w", err)
	}
	if len(found) == 0 {
		return nil
	}
	return &schemactx.LoginError{Login: found[0].Login, Kind: schemactx.LoginSuperuser, Want: found[0].Owner}
}

// SearchPath returns the search path of a schema, for its migrations and for the scopes of the
// program. The errors are those of [schemactx.SearchPath].
func (r *Runner) SearchPath(schema string) (string, error) {
	return schemactx.SearchPath(schema, r.cfg.ExtraSearchPath)
}

// checkPath returns an error if a schema of the extra search path does not exist. PostgreSQL
// ignores such a schema without an error. A migration could then fail half way, or use an operator
// of another schema. It costs a round trip unless the list is empty.
func (r *Runner) checkPath(ctx context.Context) error {
	if len(r.cfg.ExtraSearchPath) == 0 {
		return nil
	}
	var missing string
	err := r.pool.QueryRow(ctx, `select coalesce((select name from unnest($1::text[]) with ordinality as x (name, n)
		where not exists (select from pg_namespace where nspname = name) order by n limit 1), '')`,
		pgx.QueryExecModeExec, r.cfg.ExtraSearchPath).Scan(&missing)
	if err == nil && missing != "" {
		err = &schemactx.SearchPathError{Name: missing, Rule: "does not exist: create it, or have Setup make it"}
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// ForeignTableError is returned by [Runner.Up] and [Runner.UpAll] if the schema of the shared
// migrations has a table of another program whose name is that of a table of a [SchemaFS]. Nothing
// was changed.
type ForeignTableError struct {
	Schema, Table string
	Source        string // the source that would create it
}

// Error returns the table and the options to set.
func (e *ForeignTableError) Error() string {
	return fmt.Sprintf(
		"schema %q has a table %q of another program, which the migrations of %q would make: set SharedSchema of "+
			"migrate.Config, and RegistrySchema of tenancy.Config, to another schema, such as \"tenancy\"",
		e.Schema,
		e.Table,
		e.Source,
	)
}

// checkForeign looks for tables of other programs before the first migration of a shared source.
func (r *Runner) checkForeign(ctx context.Context, t target, st state) error {
	if t.kind != SharedSet {
		return nil
	}
	for _, src := range r.cfg.Shared {
		files, ok := src.FS.(SchemaFS)
		if !ok || t.begun(src, st) {
			continue
		}
		var table string
		err := r.pool.QueryRow(ctx, `select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = any ($2::text[]) order by 1 limit 1`,
			pgx.QueryExecModeExec, t.schema, files.Tables()).Scan(&table)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err == nil { // the table may be another runner's work; its versions are committed with its tables
			st, err = readVersions(ctx, r.pool, t)
		}
		if err != nil {
			return t.wrap(err)
		}
		if !t.begun(src, st) {
			return t.wrap(&ForeignTableError{Schema: t.schema, Table: table, Source: src.Name})
		}
	}
	return nil
}

// begun reports whether a migration of the source is applied.
func (t target) begun(src Source, st state) bool {
	return slices.ContainsFunc(st.applied, func(a appliedVersion) bool {
		m := t.set.find(a.version)
		return m != nil && m.source == src.Name
	})
}
