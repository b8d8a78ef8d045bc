package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// snapshot is a transaction that reads one schema at one moment. Its locks prevent that the tables
// are altered. It holds a connection.
type snapshot struct {
	pooled    *pgxpool.Conn
	tx        pgx.Tx
	header    archive.Header
	status    migrate.Status
	structure drift.Structure
	catalog   *catalog
}

// rollbackTimeout bounds the rollback, which also runs after the caller's context has ended.
const rollbackTimeout = 5 * time.Second

// maxSnapshots is the number of attempts while tables are created and dropped concurrently.
const maxSnapshots = 5

// SQLSTATEs of a table that was dropped after it was listed and before it was locked.
const (
	undefinedTable    = "42P01"
	invalidSchemaName = "3F000"
)

// SQLSTATEs of locks that were not acquired.
const (
	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"
)

// errTablesChanged makes openSnapshot try again.
var errTablesChanged = errors.New("tables were created or dropped")

// openSnapshot takes a snapshot of the tenant's schema and reads everything except rows. It
// excludes the tables extra.
func (s *Service) openSnapshot(
	ctx context.Context, t *tenancy.Tenant, domains []tenancy.Domain, extra []string,
) (*snapshot, error) {
	for range maxSnapshots {
		snap, err := s.trySnapshot(ctx, t, domains, extra)
		var pgErr *pgconn.PgError
		dropped := errors.As(err, &pgErr) && (pgErr.Code == undefinedTable || pgErr.Code == invalidSchemaName)
		if dropped || errors.Is(err, errTablesChanged) {
			continue
		}
		return snap, err
	}
	return nil, fmt.Errorf("%w: schema %q: tables were created or dropped during each of %d attempts",
		ErrChanged, t.Schema, maxSnapshots)
}

func (s *Service) trySnapshot(
	ctx context.Context, t *tenancy.Tenant, domains []tenancy.Domain, extra []string,
) (snap *snapshot, err error) {
	conn, err := s.cfg.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	snap = &snapshot{pooled: conn, header: headerOf(t, domains)}
	defer func() {
		if err != nil {
			snap.close(ctx)
			snap = nil
		}
	}()
	lock, err := lockSQL(ctx, conn, t.Schema)
	if err != nil {
		return snap, err
	}
	snap.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return snap, err
	}
	settings := fmt.Sprintf("set local lock_timeout = %d; %s; %s",
		s.cfg.LockTimeout.Milliseconds(), settingsOf(conn.Conn().PgConn()), lock)
	if _, err := snap.tx.Exec(ctx, settings, pgx.QueryExecModeSimpleProtocol); err != nil {
		return snap, err
	}
	err = s.read(ctx, snap, t.Schema, extra)
	if err == nil {
		// The tables that were locked before the snapshot must be the tables in the snapshot.
		var now string
		if now, err = lockSQL(ctx, snap.tx, t.Schema); err == nil && now != lock {
			err = errTablesChanged
		}
	}
	return snap, err
}

// read reads the catalog and fills the header. The savepoint's rollback reverts the planner
// settings.
func (s *Service) read(ctx context.Context, snap *snapshot, schema string, extra []string) error {
	tx, err := snap.tx.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, planSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	c := &catalog{schema: schema, versions: s.cfg.Migrations.Config().Table, extra: extra}
	snap.catalog = c
	if err := c.readSnapshotInfo(ctx, tx, &snap.header); err != nil {
		return err
	}
	if err := c.read(ctx, tx); err != nil {
		return err
	}
	if err := c.unsupported(); err != nil {
		return err
	}
	c.fill(&snap.header)
	if snap.header.Sequences, err = c.readSequences(ctx, tx); err != nil {
		return err
	}
	if snap.status, err = s.cfg.Migrations.StatusTx(ctx, tx, schema); err != nil {
		return err
	}
	snap.header.Migrations = migrationsOf(snap.status)
	for structure, err := range drift.Read(ctx, tx, s.fingerprintOptions(), schema) {
		if err != nil {
			return err
		}
		snap.structure, snap.header.Fingerprint = structure, structure.Hash()
	}
	return tx.Rollback(ctx)
}

// close ends the transaction and returns the connection to the pool, or closes it if that fails.
func (snap *snapshot) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if snap.tx != nil && snap.tx.Rollback(ctx) != nil {
		_ = snap.pooled.Conn().Close(ctx) // the connection is unusable whether or not this fails
	}
	snap.release(ctx)
}

// maxSchemas is the number of schemas after which a connection is closed: its server process caches
// the catalog entries of each schema.
const maxSchemas = 200

// schemasKey is the key of a connection's schema counter.
const schemasKey = "github.com/oryne/pgtenant/tenancy/backup.schemas"

func (snap *snapshot) release(ctx context.Context) {
	data := snap.pooled.Conn().PgConn().CustomData()
	n, _ := data[schemasKey].(int)
	data[schemasKey] = n + 1
	if n+1 >= maxSchemas {
		_ = snap.pooled.Hijack().Close(ctx) // the connection is unusable whether or not this fails
	} else {
		snap.pooled.Release()
	}
	snap.pooled = nil
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// lockSQL returns a statement that locks the tables of a schema against ALTER and DROP. It returns
// an empty string for a schema without tables.
func lockSQL(ctx context.Context, q querier, schema string) (string, error) {
	rows, err := q.Query(ctx, lockableSQL, schema)
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return "", err
	}
	for i, name := range names {
		if names[i], err = schemactx.QuoteName(schema, name); err != nil {
			return "", err
		}
	}
	return "lock table " + strings.Join(names, ", ") + " in access share mode", nil
}
