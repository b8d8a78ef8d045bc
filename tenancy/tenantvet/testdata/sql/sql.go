// Package sql has SQL that changes its scope or names a schema.
package sql

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

const setPath = "set search_path to "

// querier is an interface as code generators make them.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func bad(ctx context.Context, db *schemactx.DB, tx pgx.Tx, conn *pgconn.PgConn, q querier, schema string, id int) {
	// want +1 `SQL changes the scope \(SET search_path\): leave that to the context`
	_, _ = db.Exec(ctx, "SET search_path TO tenant_2")
	_, _ = db.Exec(ctx, "set local search_path = tenant_2, public")              // want `SET search_path`
	_, _ = db.Exec(ctx, `set session "search_path" = x`)                         // want `SET search_path`
	_, _ = tx.Exec(ctx, "/* a comment */ set role x")                            // want `SET role`
	_, _ = tx.Exec(ctx, "-- a comment\nset session role x")                      // want `SET role`
	_, _ = tx.Exec(ctx, "set session authorization x")                           // want `SET SESSION AUTHORIZATION`
	_, _ = tx.Exec(ctx, "set local session authorization x")                     // want `SET SESSION AUTHORIZATION`
	_, _ = tx.Exec(ctx, "set schema 'x'")                                        // want `SET SCHEMA`
	_, _ = tx.Exec(ctx, "reset role")                                            // want `RESET role`
	_, _ = tx.Exec(ctx, "reset all")                                             // want `resets the session \(RESET ALL\)`
	_, _ = tx.Exec(ctx, "discard all")                                           // want `DISCARD ALL`
	_, _ = tx.Exec(ctx, "select 1; set role x")                                  // want `SET role`
	_, _ = tx.Exec(ctx, "select set_config('search_path', $1, true)")            // want `set_config of search_path`
	_, _ = tx.Exec(ctx, "select pg_catalog.set_config( 'ROLE', $1, false)")      // want `set_config of role`
	_, _ = tx.Exec(ctx, "do $$ begin set local role x; end $$")                  // want `SET role`
	_, _ = tx.Exec(ctx, "do $x$ begin if true then set role x; end if; end $x$") // want `SET role`

	// want +1 `SQL names the schema tenant_2 of a tenant`
	_ = db.QueryRow(ctx, "select name from tenant_2.students")
	_ = db.QueryRow(ctx, `select name from "tenant_2" . students`) // want `names the schema tenant_2`
	_ = db.QueryRow(ctx, "select 'tenant_2.students'::regclass")   // want `names the schema tenant_2`
	_, _ = q.Query(ctx, "select name from Tenant_2.students")      // want `names the schema tenant_2`
	_ = conn.Exec(ctx, "set role x")                               // want `SET role`

	_, _ = db.Exec(ctx, setPath+schema)                                      // want `SET search_path`
	_, _ = db.Exec(ctx, fmt.Sprintf("set role %s", schema))                  // want `SET role`
	_, _ = db.Exec(ctx, fmt.Sprintf("select * from tenant_%d.students", id)) // want `names the schema tenant_0`
	_, _ = db.Exec(ctx, "select * from tenant_"+schema+".students")          // want `names the schema tenant_0`
	text := "select 1"
	if id > 0 {
		text = "set role x"
	}
	_, _ = db.Exec(ctx, text) // want `SET role`
	b := &pgx.Batch{}
	b.Queue("set role x")                        // want `SET role`
	_, _ = tx.Prepare(ctx, "name", "set role x") // want `SET role`
}

func good(ctx context.Context, db *schemactx.DB, tx pgx.Tx, schema, text string) {
	_, _ = db.Exec(ctx, "update users set role = $1 where search_path is null")
	_, _ = db.Exec(ctx, "insert into logs values ('set role x')")
	_, _ = db.Exec(ctx, "select 'it''s; set role x'")
	_, _ = db.Exec(ctx, `select E'a\'; set role x'`)
	_, _ = db.Exec(ctx, "select 1 -- ; set role x")
	_, _ = db.Exec(ctx, "select 1 /* /* */ ; set role x */")
	_, _ = db.Exec(ctx, "select set_config('statement_timeout', '1s', true)")
	_, _ = db.Exec(ctx, "set constraints all deferred")
	_, _ = db.Exec(ctx, "create function f() returns int language sql set search_path = '' as 'select 1'")
	_, _ = db.Exec(ctx, "select tenant_2 from students") // a column
	_, _ = db.Exec(ctx, "select s.tenant_2 from students s")
	_, _ = db.Exec(ctx, "select my_tenant_2.x from my_tenant_2")
	_, _ = db.Exec(ctx, "select $1::text, $2", schema, "set role x")
	_, _ = db.Exec(ctx, text)
	_, _ = tx.Prepare(ctx, "set role x", "select 1")
	fmt.Println("set role x")
}

//tenantvet:allow tenantsql the owner looks at all of them
func allowed(ctx context.Context, owner *pgx.Conn) error {
	_, err := owner.Exec(ctx, "set role x; select 1 from tenant_2.students")
	return err
}
