package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// functionsSQL is a subquery f of the functions that the expression of the constraint c calls, also
// through operators.
const functionsSQL = `(select f.* from pg_depend d
	left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
	join pg_proc f on f.oid = case when d.refclassid = 'pg_proc'::regclass then d.refobjid else o.oprcode::oid end
	where d.classid = 'pg_constraint'::regclass and d.objid = c.oid) f`

// callsSQL is a condition on the constraint c: its expression calls a function that is neither
// built in nor part of an extension. Such a function may read other rows.
const callsSQL = `exists (select from ` + functionsSQL + ` where f.pronamespace <> 'pg_catalog'::regnamespace
	and not exists (select from pg_depend e
		where e.classid = 'pg_proc'::regclass and e.objid = f.oid and e.deptype = 'e'))`

// variesSQL is a condition on the constraint c: its expression depends on the time, the role, a
// setting such as the time zone, or a random number. Calls of built-in functions have no entry in
// pg_depend, so the condition finds them in the stored expression. CURRENT_DATE and the like are
// not function calls there.
const variesSQL = `(pg_get_constraintdef(c.oid) ~ '\m(CURRENT_|LOCALTIME|SESSION_USER)' or exists (
	select from regexp_matches(c.conbin::text, ':(funcid|opno) (\d+)', 'g') m
	left join pg_operator o on m[1] = 'opno' and o.oid = m[2]::oid
	join pg_proc f on f.oid = case m[1] when 'funcid' then m[2]::oid else o.oprcode::oid end
	where f.provolatile <> 'i' and f.pronamespace = 'pg_catalog'::regnamespace))`

// enforcedSQL is a condition on the constraint c: it is enforced. PostgreSQL 18 has constraints
// that are NOT ENFORCED.
const enforcedSQL = `coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)`

// checksSQL reads the checks and not-null constraints of the tables $1 that rows of an archive may
// violate during the load: those that are NOT VALID, and those that may read other rows or vary. It
// omits inherited constraints.
const checksSQL = `select t.relname::text, c.conname::text, pg_get_constraintdef(c.oid), c.convalidated,
	` + variesSQL + `, null
	from pg_constraint c join pg_class t on t.oid = c.conrelid
	where c.conrelid = any($1::oid[]) and c.coninhcount = 0 and ` + enforcedSQL + `
	and (c.contype = 'c' and (not c.convalidated or ` + variesSQL + ` or ` + callsSQL + `)
		or c.contype = 'n' and not c.convalidated)
	order by c.oid`

// domainChecksSQL is checksSQL for the domains of the schema $1.
const domainChecksSQL = `select t.typname::text, c.conname::text, pg_get_constraintdef(c.oid), c.convalidated,
	` + variesSQL + `,
	quote_literal(obj_description(c.oid, 'pg_constraint'))
	from pg_depend s join pg_type t on t.oid = s.objid
	join pg_constraint c on c.contypid = t.oid and c.conrelid = 0
	where s.refclassid = 'pg_namespace'::regclass and s.refobjid = $1
	and s.classid = 'pg_type'::regclass and t.typtype = 'd'
	and c.contype = 'c' and (not c.convalidated or ` + variesSQL + ` or ` + callsSQL + `)
	order by c.oid`

// checkStatesSQL reads all checks and not-null constraints of the tables $1, including inherited
// ones.
const checkStatesSQL = `select t.relname::text, c.conname::text, c.convalidated,
	quote_literal(obj_description(c.oid, 'pg_constraint'))
	from pg_constraint c join pg_class t on t.oid = c.conrelid
	where c.conrelid = any($1::oid[]) and c.contype in ('c', 'n') order by c.oid`

// check is a constraint that is dropped from a table or a domain during the load.
type check struct {
	domain      bool
	table, name string // names of the table or the domain, and of the constraint
	definition  string // without NOT VALID
	valid       bool
	varies      bool
	comment     *string // of a domain's check, quoted
}

const notValid = " NOT VALID"

// checkState is the state of one table's copy of a constraint.
type checkState struct {
	table, name string
	valid       bool
	comment     *string // quoted
}

func (c check) key() [2]string { return [2]string{c.table, c.name} }

// dropChecks drops the checks that rows may violate during the load. The other checks stay: each
// depends on one row alone.
func (l *loader) dropChecks(ctx context.Context) error {
	before, err := l.checkStates(ctx)
	if err != nil {
		return err
	}
	kept := make(map[[2]string]bool)
	for { // a check that is dropped from a parent stays, not inherited any more, on a child that declares it too
		checks, err := l.readChecks(ctx)
		if err != nil {
			return err
		}
		checks = slices.DeleteFunc(checks, func(c check) bool { return kept[c.key()] })
		if len(checks) == 0 {
			break
		}
		for _, c := range checks {
			dropped, err := l.dropCheck(ctx, c)
			if err != nil {
				return err
			}
			kept[c.key()] = !dropped
		}
	}
	after, err := l.checkStates(ctx)
	for _, s := range before {
		if !slices.ContainsFunc(after, func(a checkState) bool { return a.table == s.table && a.name == s.name }) {
			l.checkStatesBefore = append(l.checkStatesBefore, s)
		}
	}
	return err
}

func (l *loader) checkStates(ctx context.Context) (states []checkState, err error) {
	err = l.transact(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, checkStatesSQL, l.oids)
		if err != nil {
			return err
		}
		states, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s checkState, err error) {
			err = row.Scan(&s.table, &s.name, &s.valid, &s.comment)
			return s, err
		})
		return err
	})
	return states, err
}

func (l *loader) readChecks(ctx context.Context) (all []check, err error) {
	err = l.transact(ctx, func(tx pgx.Tx) error {
		domains, err := readChecks(ctx, tx, true, domainChecksSQL, l.catalog.oid)
		if err != nil {
			return err
		}
		tables, err := readChecks(ctx, tx, false, checksSQL, l.oids)
		all = append(domains, tables...)
		return err
	})
	return all, err
}

func readChecks(ctx context.Context, tx pgx.Tx, domain bool, sql string, of any) ([]check, error) {
	rows, err := tx.Query(ctx, sql, of)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (check, error) {
		c := check{domain: domain}
		err := row.Scan(&c.table, &c.name, &c.definition, &c.valid, &c.varies, &c.comment)
		c.definition = strings.TrimSuffix(c.definition, notValid)
		return c, err
	})
}

// definitionVariants returns texts that the server may parse to the same definition. The server
// prints IN with a list of varchar in a form that it parses differently unless the array's type is
// added.
func definitionVariants(definition string) []string {
	return []string{definition, strings.ReplaceAll(definition, "])::text[]", "]::character varying[])::text[]")}
}

// dropCheck drops a constraint if it can be added again exactly as it was, because the schema must
// be what its migrations create. Otherwise the constraint stays and checks each row during the
// load.
func (l *loader) dropCheck(ctx context.Context, c check) (bool, error) {
	drop, err := l.alter(c, "drop constraint ", "")
	if err != nil {
		return false, err
	}
	want := c.definition + notValid
	for _, definition := range definitionVariants(c.definition) {
		c.definition = definition
		exact, err := l.isReversible(ctx, c, drop, want)
		if err != nil {
			return false, err
		}
		if exact {
			l.checks = append(l.checks, c)
			return true, l.execWithRetry(ctx, drop)
		}
	}
	return false, nil
}

// errTrial rolls a trial transaction back.
var errTrial = errors.New("trial")

// isReversible drops a constraint and adds it again, in a transaction that it rolls back, and
// reports whether the new constraint is equal. It uses no savepoint, because the server fails with
// XX000 if one is used after ALTER DOMAIN.
func (l *loader) isReversible(ctx context.Context, c check, drop, want string) (exact bool, err error) {
	again, err := l.addCheckSQL(c)
	if err != nil {
		return false, err
	}
	// The trial validates a domain's check, because validation fails if a table has the domain inside
	// an array or a composite type.
	if !c.valid || !c.domain {
		again.validate = ""
	}
	err = l.transact(ctx, func(tx pgx.Tx) error {
		sql := "set local search_path = " + l.path + "; " + drop + "; " + again.add + "; " + again.validate
		_, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		exact, err = l.isDefined(ctx, tx, c, want)
		return cmp.Or(err, errTrial)
	})
	if errors.Is(err, errTrial) || ctx.Err() == nil && isEvaluationError(err) {
		err = nil
	}
	return exact, err
}

// isDefined reports whether a constraint has the definition want. A domain's valid check has been
// validated in the trial.
func (l *loader) isDefined(ctx context.Context, tx pgx.Tx, c check, want string) (bool, error) {
	sql := "select pg_get_constraintdef(c.oid) from pg_constraint c join pg_class t on t.oid = c.conrelid " +
		"where t.relnamespace = $1 and t.relname = $2 and c.conname = $3"
	if c.domain {
		sql = "select pg_get_constraintdef(c.oid) from pg_constraint c join pg_type t on t.oid = c.contypid " +
			"where t.typnamespace = $1 and t.typname = $2 and c.conname = $3"
	}
	if c.domain && c.valid {
		want = strings.TrimSuffix(want, notValid)
	}
	var have string
	_, err := tx.Exec(ctx, "set local search_path = pg_catalog")
	if err == nil {
		err = tx.QueryRow(ctx, sql, l.catalog.oid, c.table, c.name).Scan(&have)
	}
	return have == want, err
}

// checkSQL is the SQL that adds a constraint again.
type checkSQL struct{ add, validate string }

func (l *loader) addCheckSQL(c check) (again checkSQL, err error) {
	if again.add, err = l.alter(c, "add constraint ", " "+c.definition+notValid); err != nil {
		return again, err
	}
	again.validate, err = l.alter(c, "validate constraint ", "")
	return again, err
}

// alter returns an ALTER statement for the constraint's table or domain.
func (l *loader) alter(c check, do, rest string) (string, error) {
	on, quoted, err := l.quoteObject(c.table, c.name)
	what := "alter table "
	if c.domain {
		what = "alter domain "
	}
	return what + on + " " + do + quoted + rest, err
}

// addChecks adds the dropped checks again after the load.
func (l *loader) addChecks(ctx context.Context) error {
	slices.Reverse(l.checks) // add a child's own checks before those of its parent
	for _, c := range l.checks {
		if err := l.addCheck(ctx, c); err != nil {
			return err
		}
	}
	for _, s := range l.checkStatesBefore {
		if err := l.restoreCheckState(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// addCheck adds a constraint again, and validates it if it was valid.
func (l *loader) addCheck(ctx context.Context, c check) error {
	again, err := l.addCheckSQL(c)
	if err != nil {
		return err
	}
	add := again.add
	if c.comment != nil {
		on, quoted, err := l.quoteObject(c.table, c.name)
		if err != nil {
			return err
		}
		add += "; comment on constraint " + quoted + " on domain " + on + " is " + *c.comment
	}
	if err := l.execWithRetry(ctx, add); err != nil {
		return checkError(ctx, c, err)
	}
	if !c.valid {
		return nil
	}
	err = l.execWithRetry(ctx, again.validate)
	if err == nil || ctx.Err() != nil || !isRefusal(err) || l.restore.checks == ChecksRefuse {
		return checkError(ctx, c, err)
	}
	switch failed := l.validateWithNullFunctions(ctx, c, again.validate); {
	case failed == nil:
		l.warn(ctx, "check "+c.name, fmt.Sprintf("is valid, as it was, but its functions refuse rows today: %v", err))
		return nil
	case ctx.Err() != nil || !isRefusal(failed) && !errors.Is(failed, errNotReplaceable):
		return errors.Join(failed, err)
	case c.varies:
		l.warn(ctx, "check "+c.name, fmt.Sprintf("is left NOT VALID, because it refuses rows today: %v", err))
		l.notValid = append(l.notValid, c.name)
		return nil
	}
	return checkError(ctx, c, err)
}

// restoreCheckState restores the validity and the comment of one table's copy of a constraint.
func (l *loader) restoreCheckState(ctx context.Context, s checkState) error {
	c := check{table: s.table, name: s.name}
	on, quoted, err := l.quoteObject(s.table, s.name)
	if err != nil {
		return err
	}
	var sql []string
	if s.valid && !slices.Contains(l.notValid, s.name) { // a check can be valid on a child and not on its parent
		sql = append(sql, "alter table "+on+" validate constraint "+quoted)
	}
	if s.comment != nil {
		sql = append(sql, "comment on constraint "+quoted+" on "+on+" is "+*s.comment)
	}
	if len(sql) == 0 {
		return nil
	}
	return checkError(ctx, c, l.execWithRetry(ctx, strings.Join(sql, "; ")))
}

func checkError(ctx context.Context, c check, err error) error {
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && isRefusal(err) && errors.As(err, &pgErr):
		if pgErr.TableName != "" {
			c.table = pgErr.TableName // a partition, or a table with a column of the domain
		}
		return &RowsError{Table: c.table, Object: c.name, Err: err}
	}
	return fmt.Errorf("table %q: %q: %w", c.table, c.name, err)
}
