package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/schemalock"
	"github.com/oryne/pgtenant/internal/sqlstate"
)

const (
	// surveyChunk is how many schemas are read in one message. Their version tables stay locked for
	// reading until the last one is read, and the server's lock table has room for 6,400 locks by
	// default.
	surveyChunk = 250

	// surveyAtOnce is the least number of chunks that are read at a time: the server reads one while
	// the client decodes the other.
	surveyAtOnce = 2
)

// survey reads the states of schemas.
type survey struct {
	r      *Runner
	lines  *lineages
	seen   *seenSchemas
	atOnce int // how many chunks are read at a time; 0: [surveyAtOnce]
}

// seenSchemas remembers the schemas that a run has met, with four bytes for each current one.
type seenSchemas struct {
	mu     sync.Mutex
	tables map[uint32]struct{} // OIDs of version tables
	names  map[string]struct{} // schemas that have no version table or are not current
}

func newSeenSchemas() *seenSchemas {
	return &seenSchemas{tables: make(map[uint32]struct{}), names: make(map[string]struct{})}
}

func (s *seenSchemas) has(schema string, table uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasLocked(schema, table)
}

// hasLocked is has for callers that hold s.mu.
func (s *seenSchemas) hasLocked(schema string, table uint32) bool {
	if _, ok := s.tables[table]; ok {
		return true
	}
	if len(s.names) == 0 {
		return false
	}
	_, ok := s.names[schema]
	return ok
}

// tableIDs returns the OIDs of the version tables that were added.
func (s *seenSchemas) tableIDs() []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.tables))
}

// add adds a schema and reports whether it is new.
func (s *seenSchemas) add(m *member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasLocked(m.schema, m.table) {
		return false
	}
	if m.table != 0 {
		s.tables[m.table] = struct{}{}
	}
	if m.outcome() != Current {
		s.names[m.schema] = struct{}{}
	}
	return true
}

// chunk is a part of the list that was read, or the error of reading it.
type chunk struct {
	members []member
	err     error
}

// each calls visit for each schema of the list, in its order. It reads the next chunks at the same
// time.
func (s *survey) each(ctx context.Context, list List, visit func(m *member) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	chunks := make(chan chan chunk, max(s.atOnce, surveyAtOnce)-1)
	wg.Go(func() {
		defer close(chunks)
		send := func(names []string, err error) bool {
			result := make(chan chunk, 1)
			select {
			case chunks <- result:
			case <-ctx.Done():
				return false
			}
			if err != nil {
				result <- chunk{err: fmt.Errorf("list schemas: %w", err)}
				return false
			}
			wg.Go(func() {
				members, err := s.read(ctx, names)
				result <- chunk{members, err}
			})
			return true
		}
		var names []string
		for name, err := range list(ctx) {
			if err != nil {
				send(nil, err)
				return
			}
			if names = append(names, name); len(names) == surveyChunk {
				if !send(names, nil) {
					return
				}
				names = nil
			}
		}
		if len(names) > 0 {
			send(names, nil)
		}
	})
	for result := range chunks {
		c := <-result
		if c.err != nil {
			return c.err
		}
		for i := range c.members {
			if err := visit(&c.members[i]); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// read reads the states of schemas: the catalogs with one query, and the version tables with one
// message.
func (s *survey) read(ctx context.Context, names []string) ([]member, error) {
	members := make([]member, len(names))
	for i, name := range names {
		members[i].schema = name
		if members[i].err = s.r.tenantName(name); members[i].err == nil {
			_, members[i].err = s.r.SearchPath(name)
		}
	}
	conn, err := s.r.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	defer conn.Release()
	for i := range members {
		members[i].reader = conn.Conn().PgConn().PID()
	}
	if err = s.locate(ctx, conn, members); err == nil {
		err = s.contents(ctx, conn, members)
	}
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	return members, nil
}

// locate looks up schemas and their version tables by index, so that the cost does not depend on
// the number of other schemas.
func (s *survey) locate(ctx context.Context, conn *pgxpool.Conn, members []member) error {
	names := make([]string, len(members))
	for i, m := range members {
		if m.err == nil {
			names[i] = m.schema
		}
	}
	rows, err := conn.Query(ctx, `select n.oid is not null, coalesce(c.oid, 0)
		from unnest($1::text[]) with ordinality as s (name, i)
		left join pg_namespace n on n.nspname = s.name::name
		left join pg_class c on c.relnamespace = n.oid and c.relname = $2::text::name
		order by i`, pgx.QueryExecModeExec, names, s.r.cfg.Table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		m := &members[i]
		var exists bool
		if err := rows.Scan(&exists, &m.table); err != nil {
			return err
		}
		switch {
		case m.err != nil: // an invalid name
		case !exists:
			m.err = fmt.Errorf("migrate schema %q: %w", m.schema, ErrSchemaMissing)
		case m.table == 0:
			m.line = s.lines.of(nil)
			m.err = m.refusal(s.r)
		}
	}
	return rows.Err()
}

// contents reads the version tables of the members that have one and were not met before.
func (s *survey) contents(ctx context.Context, conn *pgxpool.Conn, members []member) error {
	var todo []*member
	for i := range members {
		m := &members[i]
		switch {
		case m.err != nil || m.table == 0:
		case s.seen.has(m.schema, m.table):
			m.known = true
		default:
			todo = append(todo, m)
		}
	}
	return s.readAll(ctx, conn, todo)
}

// reread reads the version tables of members again.
func (s *survey) reread(ctx context.Context, conn *pgxpool.Conn, members []*member) error {
	var todo []*member
	for _, m := range members {
		if m.table != 0 && !m.tableLocked() {
			m.line, m.err, m.next = nil, nil, 0
			todo = append(todo, m)
		}
	}
	return s.readAll(ctx, conn, todo)
}

func (s *survey) readAll(ctx context.Context, conn *pgxpool.Conn, todo []*member) error {
	for len(todo) > 0 {
		read, err := s.readTables(ctx, conn, todo, surveyLockTimeout)
		if err != nil && (conn.Conn().IsClosed() || ctx.Err() != nil) {
			return err
		}
		todo = todo[read:]
		if err != nil && len(todo) > 0 {
			if err := s.readFailed(ctx, conn, todo[0], err); err != nil {
				return err
			}
			todo = todo[1:]
		}
	}
	return nil
}

// readLocked reads one schema whose version table was locked. It waits and retries as a migration
// does.
func (s *survey) readLocked(ctx context.Context, m *member) error {
	return s.r.retry(ctx, func() (bool, error) {
		conn, err := s.r.pool.Acquire(ctx)
		if err != nil {
			return false, err
		}
		defer conn.Release()
		m.err = nil
		if _, err = s.readTables(ctx, conn, []*member{m}, s.r.cfg.LockTimeout); err != nil {
			if conn.Conn().IsClosed() || ctx.Err() != nil {
				return false, err
			}
			if err = s.readFailed(ctx, conn, m, err); err != nil {
				return false, err
			}
		}
		return retryable(m.err), m.err
	})
}

// readFailed records the state of a schema whose version table could not be read, because of cause.
func (s *survey) readFailed(ctx context.Context, conn *pgxpool.Conn, m *member, cause error) error {
	t, err := s.r.target(m.schema)
	switch {
	case err != nil:
		m.err = err
	case retryable(cause):
		m.err = t.wrap(cause)
	case sqlstate.Is(cause, sqlstate.UndefinedTable, sqlstate.InvalidSchemaName): // gone since it was looked up
		m.table = 0
		if err = checkSchema(ctx, conn, t); err == nil {
			m.line = s.lines.of(nil)
			m.err = m.refusal(s.r)
		} else if m.err = err; !errors.Is(err, ErrSchemaMissing) {
			return err
		}
	default:
		m.err = t.tableError(cause)
	}
	return nil
}

// classify sets the state of a schema from the rows and the comment of its version table.
func (s *survey) classify(ctx context.Context, conn *pgxpool.Conn, m *member, table versionRows, comment string) error {
	t, err := s.r.target(m.schema)
	if err != nil {
		return err
	}
	if table.err != nil {
		st, err := readState(ctx, conn, t)
		if m.err = err; err == nil {
			m.line = t.lineage(st)
			m.line.batchable = false
		}
	} else if m.line = s.lines.of(table.rows); comment != "" {
		var st state
		for _, row := range table.rows { // which are sorted now
			st.addRow(row.version, row.applied, row.stamp, 0)
		}
		st.readNote(comment)
		applied := t.checkApplied(st)
		if m.edited = applied.versions(); len(m.edited) > 0 && s.r.cfg.Changed == Refuse || applied.compatible {
			m.line = t.lineage(st)
		}
	}
	if m.line != nil {
		m.err = m.refusal(s.r)
	}
	return nil
}

// unmet returns the schemas that have a version table and that the run has not met.
func (s *survey) unmet(ctx context.Context) (map[string]struct{}, error) {
	rows, err := s.r.pool.Query(
		ctx,
		`select c.oid, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relname = $1::text::name and n.nspname not in ('public', $5)
		and not exists (select from unnest($2::oid[]) met (oid) where met.oid = c.oid)
		and not (starts_with(n.nspname::text, $3) and obj_description(n.oid, 'pg_namespace') = $4)`,
		pgx.QueryExecModeExec,
		s.r.cfg.Table,
		s.seen.tableIDs(),
		schemalock.ScratchPrefix,
		schemalock.ScratchComment,
		s.r.cfg.SharedSchema,
	)
	if err != nil {
		return nil, fmt.Errorf("look for unregistered schemas: %w", err)
	}
	found := make(map[string]struct{})
	var table uint32
	var schema string
	_, err = pgx.ForEachRow(rows, []any{&table, &schema}, func() error {
		if !s.seen.has(schema, table) {
			found[schema] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for unregistered schemas: %w", err)
	}
	return found, nil
}
