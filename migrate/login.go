package migrate

import (
	"context"
	"fmt"

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
