package backup

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate/drift"
)

// calledSQL reads the functions of the schema $1 that the constraint $2 of the table or domain $3
// calls. It returns their definitions, and definitions that return NULL, with which a check passes.
const calledSQL = `select distinct f.oid, pg_get_functiondef(f.oid),
		format('create or replace function %I.%I(%s) returns %s language sql as %L',
			n.nspname, f.proname, pg_get_function_arguments(f.oid), pg_get_function_result(f.oid),
			'select null::' || format_type(f.prorettype, null))
	from pg_constraint c left join pg_class r on r.oid = c.conrelid left join pg_type t on t.oid = c.contypid
	cross join lateral ` + functionsSQL + `
	join pg_namespace n on n.oid = f.pronamespace
	where c.connamespace = $1 and c.conname = $2 and coalesce(r.relname, t.typname) = $3 and (c.contypid <> 0) = $4
	and f.pronamespace = $1 and f.prokind = 'f' and not f.proretset`

// function is a function that a check calls.
type function struct {
	oid                   uint32
	definition, nullified string
}

// errNotReplaceable is returned if the constraint calls no function of the schema, or one that
// cannot be replaced and then restored exactly.
var errNotReplaceable = errors.New("constraint cannot be validated")

// validateWithNullFunctions marks a check as valid although existing rows violate it today. The
// result of its functions may have changed since the rows were inserted, for instance if they read
// rows that were deleted since, or count the rows of the table. In the tenant's schema the check
// was valid too, because the server never checks rows again. In one transaction it replaces the
// functions by ones that return NULL, validates the check, and restores the functions.
func (l *loader) validateWithNullFunctions(ctx context.Context, c check, validate string) error {
	return l.transact(ctx, func(tx pgx.Tx) error {
		before, err := l.calledFunctions(ctx, tx, c)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return errNotReplaceable
		}
		sql := []string{"set local search_path = " + l.path, "set local check_function_bodies = off"}
		for _, f := range before {
			sql = append(sql, f.nullified)
		}
		sql = append(sql, validate)
		for _, f := range before {
			sql = append(sql, f.definition)
		}
		sql = append(sql, "set local search_path = pg_catalog")
		if _, err := tx.Exec(ctx, strings.Join(sql, "; "), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		after, err := l.calledFunctions(ctx, tx, c)
		if err != nil {
			return err
		}
		for i, f := range after {
			if len(after) != len(before) || f != before[i] {
				return errNotReplaceable
			}
		}
		return nil
	})
}

func (l *loader) calledFunctions(ctx context.Context, tx pgx.Tx, c check) ([]function, error) {
	rows, err := tx.Query(ctx, calledSQL+" order by 1", l.catalog.oid, c.name, c.table, c.domain)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f function, err error) {
		err = row.Scan(&f.oid, &f.definition, &f.nullified)
		return f, err
	})
}

// isNotValid reports whether a difference consists only of a check that was left NOT VALID.
func (l *loader) isNotValid(d drift.Difference) bool {
	plain := func(definition string) string { return strings.ReplaceAll(definition, notValid, "") }
	return len(l.notValid) > 0 && (d.Kind == drift.ObjectConstraint || d.Kind == drift.ObjectDomain) &&
		d.Change == drift.ChangeDifferent && plain(d.Have) == plain(d.Want)
}
