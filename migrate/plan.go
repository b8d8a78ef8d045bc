package migrate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Plan is what a runner would send to one schema.
type Plan struct {
	Schema string
	Calls  []PlannedCall // empty if there is nothing to do
}

// PlannedCall is one statement or one function.
type PlannedCall struct {
	SQL  string   // empty for a function
	Args []string // of $1, $2, ...

	// Source, File, Version and Direction are those of the migration that the call belongs to. They
	// are zero for statements of this package.
	Source    string
	File      string
	Version   int64
	Direction Direction
}

// PlanUp returns the statements that [Runner.UpTo] would send to change the schema, in order. With
// [Newest] it returns those of [Runner.Up]. It sends queries only, and changes and locks nothing,
// so that another runner may come first. In the comment with the checksums, the times of new
// versions are those of the plan.
//
// Not in the plan are the checks before the first lock, the statements of Go migrations, and, for a
// migration without a transaction, what the runner sends between its statements: the search for
// invalid indexes, the timeouts of CONCURRENTLY, and the notes of its progress. The errors are
// those of UpTo.
func (r *Runner) PlanUp(ctx context.Context, schema string, version int64) (Plan, error) {
	return r.plan(ctx, schema, upTo{version})
}

// PlanDown returns what [Runner.DownTo] would send, as [Runner.PlanUp] does.
func (r *Runner) PlanDown(ctx context.Context, schema string, version int64) (Plan, error) {
	return r.plan(ctx, schema, downTo{version})
}

func (r *Runner) plan(ctx context.Context, schema string, g stepSelector) (Plan, error) {
	plan := Plan{Schema: schema}
	if err := r.checkVersion(schema, g); err != nil {
		return plan, err
	}
	t, err := r.target(schema)
	if err != nil {
		return plan, err
	}
	st, err := readState(ctx, r.pool, t)
	if err != nil {
		return plan, err
	}
	steps, err := t.next(g, st)
	_, up := g.(upTo)
	if err != nil || len(steps) == 0 && (!up || !st.exposed) {
		return plan, err
	}
	grantees, now, err := r.planned(ctx, t)
	if err != nil {
		return plan, err
	}
	if st.start, err = r.plannedSession(ctx, t); err != nil {
		return plan, err
	}
	if len(steps) == 0 {
		plan.addInTransactions(t, st, grantees, nil, true)
	}
	for len(steps) > 0 {
		st.now = now
		n := 0
		for n < len(steps) && !steps[n].noTx() {
			n++
		}
		if n == 0 {
			n = 1
			plan.addNoTx(t, st, grantees, steps[0], len(steps) == 1)
		} else {
			plan.addInTransactions(t, st, grantees, steps[:n], n == len(steps))
		}
		st.did(steps[:n])
		now += int64(n) // the transactions of one message have consecutive times
		steps, grantees = steps[n:], nil
	}
	return plan, nil
}

// plannedSession returns the settings with which a session of the pool starts.
func (r *Runner) plannedSession(ctx context.Context, t target) (sessionStart, error) {
	rows, err := r.pool.Query(ctx, t.sessionCall().sql, pgx.QueryExecModeExec)
	if err != nil {
		return sessionStart{}, fmt.Errorf("plan schema %q: %w", t.schema, err)
	}
	var values [][][]byte
	for rows.Next() {
		values = append(values, cloned(rows.RawValues()))
	}
	if err := rows.Err(); err != nil {
		return sessionStart{}, fmt.Errorf("plan schema %q: %w", t.schema, err)
	}
	return readStart(values), nil
}

// planned returns the server's time and the roles with privileges on the version table. If there is
// no table yet, these are the roles that will have some by default privileges.
func (r *Runner) planned(ctx context.Context, t target) (grantees []string, now int64, err error) {
	rows, err := r.pool.Query(ctx, `with acl as (
			select c.relacl as acl, c.relowner as owner from pg_class c where c.oid = to_regclass($2)
			union all select d.defaclacl, d.defaclrole from pg_default_acl d where to_regclass($2) is null
				and d.defaclobjtype = 'r' and d.defaclrole = (select oid from pg_roles where rolname = current_user)
				and (d.defaclnamespace = 0 or d.defaclnamespace = to_regnamespace($1))
		)
		select coalesce(g.rolname, '') from acl cross join aclexplode(acl.acl) a left join pg_roles g on g.oid = a.grantee
		where a.grantee <> acl.owner group by 1`, pgx.QueryExecModeExec, pgx.Identifier{t.schema}.Sanitize(), t.table)
	if err == nil {
		grantees, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err == nil {
		err = r.pool.QueryRow(ctx, "select (extract(epoch from localtimestamp) * 1000000)::bigint", pgx.QueryExecModeExec).
			Scan(&now)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("plan schema %q: %w", t.schema, err)
	}
	return grantees, now, nil
}

// addInTransactions adds what is sent for steps with transactions.
func (p *Plan) addInTransactions(t target, st state, grantees []string, steps []step, last bool) {
	first := len(p.Calls) == 0
	calls := t.open(!first)
	if first {
		calls = slices.Insert(calls, 1, t.sessionCall())
	}
	p.add(append(calls, t.finish(st, grantees, steps, last)...))
}

// addNoTx adds what is sent for a step without a transaction.
func (p *Plan) addNoTx(t target, st state, grantees []string, s step, last bool) {
	first := len(p.Calls) == 0
	p.add(append([]call{t.sessionCall()}, t.session()...))
	if first {
		p.add([]call{t.tryLock()})
	}
	p.add([]call{{sql: t.stateQuery()}})
	if s.isGo() {
		p.add([]call{{step: &s}})
	}
	for i, stmt := range s.statements() {
		p.add([]call{{sql: stmt.sql, step: &s, i: i}})
	}
	ran := s
	ran.ran = true
	p.add(clean(st.start))
	p.addInTransactions(t, st, grantees, []step{ran}, last)
}

func (p *Plan) add(calls []call) {
	for _, c := range calls {
		planned := PlannedCall{SQL: c.sql, Args: c.args}
		if c.step != nil {
			m := c.step.m
			planned.Source, planned.File, planned.Version, planned.Direction = m.source, m.file, m.version, c.step.dir
		}
		p.Calls = append(p.Calls, planned)
	}
}

// Migrations returns the calls that belong to migrations, without those of this package.
func (p Plan) Migrations() []PlannedCall {
	var calls []PlannedCall
	for _, c := range p.Calls {
		if c.File != "" {
			calls = append(calls, c)
		}
	}
	return calls
}

// WriteTo writes the plan as a script for psql with the same effect. It fills in the arguments. A
// Go migration is a comment.
func (p Plan) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "-- schema %s\n", p.Schema)
	last := ""
	for _, c := range p.Calls {
		if c.File != "" && c.File != last {
			fmt.Fprintf(&b, "-- %s %s/%s\n", c.Direction, c.Source, c.File)
		}
		last = c.File
		if c.SQL != "" {
			fmt.Fprintf(&b, "%s\n", c.script())
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// script returns the statement with its arguments filled in and a semicolon at its end.
func (c PlannedCall) script() string {
	sql := c.SQL
	for i := len(c.Args) - 1; i >= 0; i-- {
		quoted := "'" + strings.ReplaceAll(c.Args[i], "'", "''") + "'"
		sql = strings.ReplaceAll(sql, fmt.Sprintf("$%d", i+1), quoted)
	}
	if end := readSQL(sql); !end.ended {
		sql += "\n;"
	}
	return sql
}
