package migrate

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// AdoptReport is the result of [Adopt].
type AdoptReport struct {
	Schema string

	// Changed are the objects that have a new owner, such as "table tenant_1.notes".
	Changed []string

	// Review are the views, materialized views and SECURITY DEFINER functions among them. From now on
	// they run with the privileges of the owner role, which reach every tenant.
	Review []string
}

// Adopt makes the role owner the owner of a schema and of everything in it, except for the members
// of extensions. Then [admin.Provision] can add the tenant's role and a runner can migrate the
// schema. Both refuse, or fail on, objects of other roles. Adopt does what ALTER ... OWNER TO does
// for each object. REASSIGN OWNED would take all that a role owns in the database at once, and it
// does not work for the role that PostgreSQL was installed with. The schema public itself keeps its
// owner.
//
// admin must be a superuser, or a member of the old owners and of the new one with CREATE on the
// database. The privileges of other roles stay. Read the report's Review. The next steps are
// Provision, [Runner.Baseline] if the schema has no versions, [Runner.Up], and [admin.Check].
//
// It is one transaction, which ctx governs, locks each table for a moment, and can be run again. A
// bad name is a [schemactx.NameError], a schema that does not exist [ErrSchemaMissing]; with an
// error nothing has changed.
//
// [admin.Provision]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx/admin#Provision
// [admin.Check]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx/admin#Check
// [schemactx.NameError]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#NameError
func Adopt(ctx context.Context, admin admin.Beginner, schema, owner string) (AdoptReport, error) {
	return adopt(ctx, admin, schema, owner)
}

// AdoptTx is [Adopt] in a savepoint of the caller's transaction.
func AdoptTx(ctx context.Context, tx pgx.Tx, schema, owner string) (AdoptReport, error) {
	if tx.Conn() == nil {
		return AdoptReport{Schema: schema}, fmt.Errorf("adopt schema %q: the transaction runs in the scope of a tenant: "+
			"use a transaction of a pool or connection of pgx", schema)
	}
	return adopt(ctx, tx, schema, owner)
}

func adopt(ctx context.Context, admin interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}, schema, owner string,
) (AdoptReport, error) {
	report := AdoptReport{Schema: schema}
	if schema != schemactx.Public {
		if err := schemactx.ValidateName(schema); err != nil {
			return report, err
		}
	}
	role, err := schemactx.QuoteName(owner)
	if err != nil {
		return report, err
	}
	err = pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error {
		return report.adopt(ctx, tx, owner, role)
	})
	if err != nil {
		return AdoptReport{Schema: schema}, fmt.Errorf("adopt schema %q: %w", schema, err)
	}
	return report, nil
}

func (report *AdoptReport) adopt(ctx context.Context, tx pgx.Tx, owner, role string) error {
	var there bool
	err := tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)",
		pgx.QueryExecModeExec, report.Schema).
		Scan(&there)
	if err != nil {
		return err
	}
	if !there {
		return ErrSchemaMissing
	}
	rows, err := tx.Query(ctx, ownedQuery, pgx.QueryExecModeExec, report.Schema, owner)
	if err != nil {
		return err
	}
	batch := &pgconn.Batch{}
	var kind, identity string
	var review bool
	_, err = pgx.ForEachRow(rows, []any{&kind, &identity, &review}, func() error {
		batch.ExecParams("alter "+kind+" "+identity+" owner to "+role, nil, nil, nil, nil)
		report.Changed = append(report.Changed, kind+" "+identity)
		if review {
			report.Review = append(report.Review, kind+" "+identity)
		}
		return nil
	})
	if err != nil || len(report.Changed) == 0 {
		return err
	}
	return tx.Conn().PgConn().ExecBatch(ctx, batch).Close()
}

// ownedQuery lists the schema and the objects in it that the role $2 does not own. The schema is
// first, because the owner of tables needs CREATE on it. The server quotes the names. The objects
// of a schema depend on it, and pg_depend has an index for that, unlike pg_class. The sequences of
// columns are left out, because they follow their tables. Owners are in pg_shdepend, except for the
// role that PostgreSQL was installed with.
const ownedQuery = `
	with target as (select oid from pg_namespace where nspname = $1),
	objects as (
		select 'pg_namespace'::regclass as classid, oid as objid, 0 as rank from target where $1 <> 'public'
		union all
		select d.classid, d.objid, 1 from pg_depend d join target t on d.refobjid = t.oid
		where d.refclassid = 'pg_namespace'::regclass and d.deptype = 'n' and not exists (
			select from pg_depend e where e.classid = d.classid and e.objid = d.objid and e.objsubid = 0
				and (e.deptype = 'e' or e.deptype in ('a', 'i') and e.refclassid = 'pg_class'::regclass
					and exists (select from pg_class q
						where d.classid = 'pg_class'::regclass and q.oid = d.objid and q.relkind = 'S')))
	)
	select case i.type when 'statistics object' then 'statistics' else i.type end, i.identity,
		coalesce(c.relkind in ('v', 'm'), false) or coalesce(p.prosecdef, false)
	from objects o
	cross join pg_identify_object(o.classid, o.objid, 0) i
	left join pg_class c on o.classid = 'pg_class'::regclass and c.oid = o.objid
	left join pg_proc p on o.classid = 'pg_proc'::regclass and p.oid = o.objid
	where i.type in ('schema', 'table', 'view', 'materialized view', 'sequence', 'foreign table', 'function',
			'procedure', 'aggregate',
			'type', 'domain', 'collation', 'conversion', 'operator', 'operator class', 'operator family',
			'text search configuration',
			'text search dictionary', 'statistics object')
		and not exists (
			select from pg_shdepend s join pg_roles r on r.oid = s.refobjid
			where s.dbid = (select oid from pg_database where datname = current_database())
				and s.classid = o.classid and s.objid = o.objid
				and s.refclassid = 'pg_authid'::regclass and s.deptype = 'o' and r.rolname = $2)
	order by o.rank, o.classid, o.objid`
