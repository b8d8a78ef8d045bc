package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// TextError is returned by [CheckRename] if the name of a schema is in the text of other objects.
// PostgreSQL does not change such a text when the schema is renamed: the objects would then fail,
// or find nothing.
type TextError struct {
	Schema  string
	Objects []string // sorted, as PostgreSQL names them: "function tenant_7.touch()"
}

// Error returns the schema and the names of at most ten objects.
func (e *TextError) Error() string {
	named, more := e.Objects, ""
	if len(named) > 10 {
		named, more = named[:10], fmt.Sprintf(" and %d more", len(named)-10)
	}
	return fmt.Sprintf("the name of schema %q is in the text of: %s%s", e.Schema, strings.Join(named, ", "), more)
}

// renameCheckSQL finds the objects whose text contains the name $1. It looks at the search path of
// a function (SET search_path FROM CURRENT), of a login or of a database. It looks at the body of a
// function, where the name qualifies another one or is a string. It looks at strings in a default,
// a check, a view or the arguments of a trigger of the schema. Bodies that PostgreSQL has parsed
// (BEGIN ATOMIC) and constants of type regclass refer to objects and not to names.
const renameCheckSQL = `with name as (
		select '[=, "]' || $1 || '([, "]|$)' as on_path, '(^|[^a-z0-9_$])"?' || $1 || '"?\s*\.'
			as qualifies, '''' || $1 || '''' as alone,
			'''"?' || $1 || '"?(\.[^'']*)?''::text' as in_text, '(^|[^a-z0-9_$])' || $1 || '([^a-z0-9_$]|$)' as word
	), inside as (
		select c.oid, c.relkind from pg_class c where c.relnamespace = to_regnamespace($1)
	)
	select distinct object from name, lateral (
		select pg_describe_object('pg_proc'::regclass, p.oid, 0) as object from pg_proc p join pg_language l
			on l.oid = p.prolang
		where p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) and (
			exists (select from unnest(p.proconfig) c where c ~ '^search_path=' and c ~ name.on_path)
			or l.lanname not in ('internal', 'c') and (p.prosrc ~* name.qualifies or position(name.alone in p.prosrc) > 0))
		union all select 'settings of ' || coalesce('role ' || r.rolname, 'database ' || current_database())
			from pg_db_role_setting s
			left join pg_roles r on r.oid = s.setrole
		where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
			and exists (select from unnest(s.setconfig) c where c ~ '^search_path=' and c ~ name.on_path)
		union all select pg_describe_object('pg_attrdef'::regclass, d.oid, 0) from pg_attrdef d join inside i
			on i.oid = d.adrelid
		where pg_get_expr(d.adbin, d.adrelid) ~ name.in_text
		union all select pg_describe_object('pg_constraint'::regclass, c.oid, 0) from pg_constraint c join inside i
			on i.oid = c.conrelid
		where c.contype = 'c' and pg_get_constraintdef(c.oid) ~ name.in_text
		union all select pg_describe_object('pg_class'::regclass, i.oid, 0) from inside i
		where i.relkind in ('v', 'm') and pg_get_viewdef(i.oid) ~ name.in_text
		union all select pg_describe_object('pg_trigger'::regclass, t.oid, 0) from pg_trigger t join inside i
			on i.oid = t.tgrelid
		where not t.tgisinternal and t.tgnargs > 0 and encode(t.tgargs, 'escape') ~ name.word
	) x order by object`

// CheckRename returns a [TextError] if [Rename] of the schema would break objects that contain its
// name as text. It does not find a name that a function builds at run time. In the body of a
// function, an alias that is equal to the schema's name counts as the schema. It changes nothing;
// ctx governs the query. It returns a [schemactx.NameError] for an invalid name.
func CheckRename(ctx context.Context, owner Beginner, schema string) error {
	if err := schemactx.ValidateName(schema); err != nil {
		return err
	}
	var objects []string
	err := pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, renameCheckSQL, pgx.QueryExecModeExec, schema)
		if err == nil {
			objects, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for the name of schema %q: %w", schema, err)
	}
	if len(objects) > 0 {
		return &TextError{Schema: schema, Objects: objects}
	}
	return nil
}
