package admin

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// dependentsSQL returns the objects outside of the schema $1 that a DROP ... CASCADE would drop. It
// follows pg_depend from the relations $2, or from the schema if $2 is empty.
//
// A part of a relation counts as in the schema of the relation. These objects do not count, as they
// are in no schema and are dropped with the object that they are about: default privileges,
// memberships in publications, casts and transforms of the schema's types, and extensions that were
// installed into the schema. The internal triggers by which a foreign key of this schema watches
// the referenced table do not count either.
const dependentsSQL = `with recursive reached (classid, objid, objsubid) as (
		select 'pg_class'::regclass::oid, oid, 0 from unnest($2::oid[]) as oid
		union select 'pg_namespace'::regclass, $1::oid, 0 where cardinality($2::oid[]) = 0
		union
		select d.classid, d.objid, d.objsubid from reached r
		join pg_depend d on d.refclassid = r.classid and d.refobjid = r.objid and (r.objsubid = 0
			or d.refobjsubid = r.objsubid)
	),
	object (classid, objid, objsubid) as (
		select case when w.oid is null then classid else 'pg_class'::regclass
			end, coalesce(ev_class, objid), objsubid -- a view, not its rule
		from reached left join pg_rewrite w on classid = 'pg_rewrite'::regclass and w.oid = objid and rulename = '_RETURN'
		union -- a member takes its extension with it
		select 'pg_extension'::regclass, d.refobjid, 0 from reached r
		join pg_depend d on d.classid = r.classid and d.objid = r.objid and deptype = 'e'
	),
	home (classid, objid, objsubid, namespace) as (
		select o.*, case classid
			when 'pg_class'::regclass then (select relnamespace from pg_class where oid = objid)
			when 'pg_attrdef'::regclass then (select relnamespace from pg_attrdef a join pg_class c on c.oid = adrelid
				where a.oid = objid)
			when 'pg_rewrite'::regclass then (select relnamespace from pg_rewrite r join pg_class c on c.oid = ev_class
				where r.oid = objid)
			when 'pg_policy'::regclass then (select relnamespace from pg_policy p join pg_class c on c.oid = polrelid
				where p.oid = objid)
			when 'pg_trigger'::regclass then (select case when tgisinternal then $1::oid else relnamespace end
				from pg_trigger t join pg_class c on c.oid = tgrelid where t.oid = objid)
			when 'pg_type'::regclass then (select typnamespace from pg_type where oid = objid)
			when 'pg_constraint'::regclass then (select connamespace from pg_constraint where oid = objid)
			when 'pg_extension'::regclass then (select extnamespace from pg_extension where oid = objid)
			when 'pg_cast'::regclass then (select typnamespace from pg_cast c join pg_type t on t.oid in (castsource, casttarget)
				where c.oid = objid order by typnamespace <> $1::oid limit 1)
			when 'pg_transform'::regclass then (select typnamespace from pg_transform f join pg_type t on t.oid = trftype
				where f.oid = objid)
			when 'pg_amop'::regclass then (select opfnamespace from pg_amop a join pg_opfamily f on f.oid = amopfamily
				where a.oid = objid)
			when 'pg_amproc'::regclass then (select opfnamespace from pg_amproc a join pg_opfamily f on f.oid = amprocfamily
				where a.oid = objid)
			else (select n.oid from pg_identify_object(classid, objid, objsubid) as i join pg_namespace n
				on quote_ident(nspname) = i.schema)
		end
		from object as o
		where classid not in ('pg_default_acl'::regclass, 'pg_publication_rel'::regclass)
			and classid <> coalesce(to_regclass('pg_catalog.pg_publication_namespace'), 0) -- since PostgreSQL 15
			and not (classid = 'pg_namespace'::regclass and objid = $1::oid)
	)
	select distinct i.type || ' ' || i.identity from home, pg_identify_object(classid, objid, objsubid) as i
	where namespace is distinct from $1::oid and namespace is distinct from 'pg_toast'::regnamespace::oid
	order by 1`

// expectNoDependents returns a [DependentsError] if dropping the relations, or the schema if there
// are no relations, would drop an object outside of the schema.
func expectNoDependents(ctx context.Context, tx pgx.Tx, schema string, oid uint32, relations []relation) error {
	oids := make([]uint32, len(relations))
	for i, r := range relations {
		oids[i] = r.oid
	}
	rows, err := tx.Query(ctx, dependentsSQL, oid, oids)
	if err != nil {
		return err
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(objects) > 0 {
		err = &DependentsError{Schema: schema, Objects: objects}
	}
	return err
}
