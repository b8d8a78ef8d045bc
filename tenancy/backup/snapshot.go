package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// snapshot is one schema at one moment, with its tables locked against being altered. It holds a connection.
type snapshot struct {
	pooled    *pgxpool.Conn
	tx        pgx.Tx
	header    archive.Header
	status    migrate.Status
	structure migrate.Structure
	catalog   *catalog
}

// rollbackTimeout bounds what has to be done when the caller's context is over.
const rollbackTimeout = 5 * time.Second

// maxSnapshots is how often a snapshot is tried while tables come and go.
const maxSnapshots = 5

// The SQLSTATEs of tables that went between being found and being locked.
const (
	undefinedTable    = "42P01"
	invalidSchemaName = "3F000"
)

// lockNotAvailable is the SQLSTATE of a wait for a lock that took too long.
const lockNotAvailable = "55P03"

// errMoved is the reason for another try.
var errTablesChanged = errors.New("tables came or went")

// openSnapshot takes a snapshot of the tenant's schema and reads all but the rows. The tables extra
// are left out.
func (s *Service) openSnapshot(ctx context.Context, t *tenancy.Tenant, domains []tenancy.Domain, extra []string) (*snapshot, error) {
	for range maxSnapshots {
		snap, err := s.trySnapshot(ctx, t, domains, extra)
		var pgErr *pgconn.PgError
		if errors.Is(err, errTablesChanged) || errors.As(err, &pgErr) && (pgErr.Code == undefinedTable || pgErr.Code == invalidSchemaName) {
			continue
		}
		return snap, err
	}
	return nil, fmt.Errorf("%w: schema %q: the tables were others each of %d times", ErrChanged, t.Schema, maxSnapshots)
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
	settings := fmt.Sprintf("set local lock_timeout = %d; %s; %s", s.cfg.LockTimeout.Milliseconds(), settingsOf(conn.Conn().PgConn()), lock)
	if _, err := snap.tx.Exec(ctx, settings, pgx.QueryExecModeSimpleProtocol); err != nil {
		return snap, err
	}
	err = s.read(ctx, snap, t.Schema, extra)
	if err == nil {
		// What was locked before the snapshot must be what the snapshot has.
		var now string
		if now, err = lockSQL(ctx, snap.tx, t.Schema); err == nil && now != lock {
			err = errTablesChanged
		}
	}
	return snap, err
}

// read fills the header. What the planner is told for it is taken back with the savepoint.
func (s *Service) read(ctx context.Context, snap *snapshot, schema string, extra []string) error {
	tx, err := snap.tx.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, planSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	c := &catalog{schema: schema, versions: s.cfg.Migrations.VersionTable(), extra: extra}
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
	for structure, err := range migrate.Fingerprint(ctx, tx, s.fingerprintOptions(), schema) {
		if err != nil {
			return err
		}
		snap.structure, snap.header.Fingerprint = structure, structure.Hash()
	}
	return tx.Rollback(ctx)
}

// close ends the transaction and gives the connection back, or closes it.
func (snap *snapshot) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if snap.tx != nil && snap.tx.Rollback(ctx) != nil {
		_ = snap.pooled.Conn().Close(ctx) // gone in any case
	}
	snap.release(ctx)
}

// maxSchemas is after how many schemas a connection is closed: its server process remembers what it has looked up of each.
const maxSchemas = 200

// schemasKey is where a connection counts them.
const schemasKey = "github.com/oryne/pgtenant/tenancy/backup.schemas"

func (snap *snapshot) release(ctx context.Context) {
	data := snap.pooled.Conn().PgConn().CustomData()
	n, _ := data[schemasKey].(int)
	data[schemasKey] = n + 1
	if n+1 >= maxSchemas {
		_ = snap.pooled.Hijack().Close(ctx) // gone in any case
	} else {
		snap.pooled.Release()
	}
	snap.pooled = nil
}
