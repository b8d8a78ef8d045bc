package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/registrydb"
)

// The defaults of [PartitionMaintainerConfig].
const (
	defaultAhead       = 2
	defaultLockTimeout = 2 * time.Second
)

// PartitionMaintainerConfig configures a [PartitionMaintainer].
type PartitionMaintainerConfig struct {
	// Ahead is the number of future months that have partitions. Default: 2.
	Ahead int

	// Keep is the number of whole months to keep besides the current one. Older months are verified,
	// replaced by one checkpoint per chain, and removed. Default: 0, all months are kept.
	Keep int

	// Keys are the values of [Config].Key, the current one first. Required if the logs use a key.
	Keys [][]byte

	// RegistrySchema is the schema of the log's tables, as in [tenancy.Config]. Default: public.
	RegistrySchema string

	// LockTimeout is how long a schema change waits for its table locks; readers and writers queue
	// behind it meanwhile. A change is tried up to ten times. Default: 2 seconds.
	LockTimeout time.Duration

	// Clock returns the current time. Default: [time.Now].
	Clock func() time.Time
}

// PartitionMaintainer creates the monthly partitions of the log and removes old ones. It is safe
// for concurrent use, also by several processes.
type PartitionMaintainer struct {
	owner  *registrydb.Pool
	cfg    PartitionMaintainerConfig
	reader *Reader
}

// NewPartitionMaintainer returns a maintainer that uses owner, a pool of the role that ran the
// migrations. An invalid config is a [FieldError].
func NewPartitionMaintainer(owner *pgxpool.Pool, cfg PartitionMaintainerConfig) (*PartitionMaintainer, error) {
	if owner == nil {
		return nil, errNoDB
	}
	if cfg.Ahead < 0 || cfg.Ahead > 120 {
		return nil, &FieldError{Field: "ahead", Value: itoa(int64(cfg.Ahead)), Rule: "is not between 0 and 120"}
	}
	if cfg.Keep < 0 {
		return nil, &FieldError{Field: "keep", Value: itoa(int64(cfg.Keep)), Rule: "is negative"}
	}
	if cfg.LockTimeout < 0 {
		return nil, &FieldError{Field: "lock_timeout", Value: cfg.LockTimeout.String(), Rule: "is negative"}
	}
	if cfg.Ahead == 0 {
		cfg.Ahead = defaultAhead
	}
	if cfg.LockTimeout == 0 {
		cfg.LockTimeout = defaultLockTimeout
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	reader, err := NewReader(owner, ReaderConfig{Keys: cfg.Keys, RegistrySchema: cfg.RegistrySchema})
	if err != nil {
		return nil, err
	}
	schema, err := registrydb.Parse(cfg.RegistrySchema)
	if err != nil {
		return nil, fmt.Errorf("audit: RegistrySchema: %w", err)
	}
	return &PartitionMaintainer{owner: schema.Pool(owner), cfg: cfg, reader: reader}, nil
}

// MaintainReport is the result of [PartitionMaintainer.Maintain].
type MaintainReport struct {
	Made    []time.Time // first days of months with a new partition
	Moved   int64       // rows moved from the default partition
	Removed []time.Time // first days of removed months
	Chains  int         // chains for which a checkpoint was stored
}

// Maintain creates the partitions of the current month, of the months ahead, and of months that
// have rows in the default partition. It removes months that are not kept. A month whose chains do
// not verify is kept as evidence, and the error is a [TamperError]. Maintain can be repeated after
// a crash at any point. Run it once a day; until it runs, rows go to the default partition and no
// entry is refused. With an error, the report contains what was done before it.
func (p *PartitionMaintainer) Maintain(ctx context.Context) (MaintainReport, error) {
	var report MaintainReport
	months, err := p.missingMonths(ctx)
	if err != nil {
		return report, fmt.Errorf("maintain audit log: %w", initialized(err))
	}
	for _, m := range months {
		var made bool
		var moved int64
		err := p.change(ctx, func(tx pgx.Tx) (err error) {
			made, moved, err = p.makePartition(ctx, tx, m)
			return err
		})
		if err != nil {
			return report, fmt.Errorf("maintain audit log: make the partition of %s: %w", m.name(), err)
		}
		if made {
			report.Made = append(report.Made, m.first())
			report.Moved += moved
		}
	}
	if p.cfg.Keep > 0 {
		err = p.expire(ctx, &report)
	}
	return report, err
}

func (m month) name() string { return m.first().Format("2006-01") }

// table returns the name of the month's partition.
func (m month) table() string { return fmt.Sprintf("audit_log_%04d_%02d", int(m)/12, int(m)%12+1) }

func (p *PartitionMaintainer) now() month { return monthOf(p.cfg.Clock()) }

// missingMonths returns the months that need a partition and have none.
func (p *PartitionMaintainer) missingMonths(ctx context.Context) ([]month, error) {
	months, err := queryMonths(
		ctx,
		p.owner,
		"select distinct month from {registry}.audit_log_default where month <= $1 order by month",
		(p.now() + month(p.cfg.Ahead)).first(),
	) // rows of later months stay in the default partition: a wrong clock must not create many partitions
	if err != nil {
		return nil, err
	}
	existing, err := p.partitions(ctx)
	if err != nil {
		return nil, err
	}
	for i := range p.cfg.Ahead + 1 {
		months = append(months, p.now()+month(i))
	}
	seen := map[month]bool{}
	for _, m := range existing {
		seen[m] = true
	}
	missing := months[:0]
	for _, m := range months {
		if !seen[m] {
			seen[m] = true
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// partitions returns the months with partitions, by the names that makePartition gives.
func (p *PartitionMaintainer) partitions(ctx context.Context) ([]month, error) {
	return queryMonths(
		ctx,
		p.owner,
		`select to_date(substr(c.relname, 11), 'YYYY_MM') from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = '{registry}.audit_log'::regclass and c.relname ~ '^audit_log_\d{4,}_\d\d$' order by 1`,
	)
}

func queryMonths(ctx context.Context, db *registrydb.Pool, sql string, args ...any) ([]month, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (month, error) {
		t, err := pgx.RowTo[time.Time](row)
		return monthOf(t), err
	})
}

// change runs fn in a transaction with a lock timeout, because readers and writers queue behind a
// lock request. It tries up to ten times if the timeout expires.
func (p *PartitionMaintainer) change(ctx context.Context, fn func(tx pgx.Tx) error) (err error) {
	for range 10 {
		err = pgx.BeginFunc(ctx, p.owner, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, fmt.Sprintf("set local lock_timeout = %d", p.cfg.LockTimeout.Milliseconds())); err != nil {
				return err
			}
			// One maintainer at a time. Readers and writers do not conflict with this lock.
			if _, err := tx.Exec(ctx, "lock table {registry}.audit_checkpoints in share update exclusive mode"); err != nil {
				return err
			}
			return fn(tx)
		})
		if stateOf(err) != stateLockNotAvailable || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// makePartition creates the partition of a month, unless it exists, and moves the month's rows out
// of the default partition.
func (p *PartitionMaintainer) makePartition(
	ctx context.Context,
	tx pgx.Tx,
	m month,
) (made bool, moved int64, err error) {
	var there bool
	if err := tx.QueryRow(ctx, "select to_regclass($1) is not null", p.owner.Schema().SQL("{registry}.")+m.table()).
		Scan(&there); err != nil ||
		there {
		return false, 0, err
	}
	from, to := m.first().Format(time.DateOnly), (m + 1).first().Format(time.DateOnly)
	// The partition is attached after the move, because PostgreSQL refuses a partition for which the
	// default one has rows.
	_, err = tx.Exec(
		ctx,
		fmt.Sprintf(`create table {registry}.%s (like {registry}.audit_log including defaults including constraints);
		lock table {registry}.audit_log_default in access exclusive mode`, m.table()),
	)
	if err != nil {
		return false, 0, err
	}
	tag, err := tx.Exec(
		ctx,
		fmt.Sprintf(`with moved as (delete from {registry}.audit_log_default where month = '%s' returning *)
		insert into {registry}.%s select * from moved`, from, m.table()),
	)
	if err != nil {
		return false, 0, err
	}
	_, err = tx.Exec(
		ctx,
		fmt.Sprintf(
			"alter table {registry}.audit_log attach partition {registry}.%s for values from ('%s') to ('%s')",
			m.table(),
			from,
			to,
		),
	)
	return true, tag.RowsAffected(), err
}

// expire removes the months that are older than those to keep.
func (p *PartitionMaintainer) expire(ctx context.Context, report *MaintainReport) error {
	existing, err := p.partitions(ctx)
	if err != nil {
		return fmt.Errorf("maintain audit log: %w", err)
	}
	var tampered error
	for _, m := range existing {
		if m >= p.now()-month(p.cfg.Keep) {
			break
		}
		chains, err := p.remove(ctx, m)
		if errors.Is(err, ErrTampered) { // later months can still be removed
			tampered = errors.Join(tampered, fmt.Errorf("maintain audit log: remove %s: %w", m.name(), err))
			continue
		}
		if err != nil {
			return errors.Join(tampered, fmt.Errorf("maintain audit log: remove %s: %w", m.name(), err))
		}
		report.Removed = append(report.Removed, m.first())
		report.Chains += chains
	}
	return tampered
}

// remove verifies a month, stores a checkpoint for each of its chains, and drops its partition.
func (p *PartitionMaintainer) remove(ctx context.Context, m month) (chains int, err error) {
	err = p.change(ctx, func(tx pgx.Tx) error {
		// From here on no process can add rows. Readers continue until the partition is detached.
		if _, err := tx.Exec(ctx, fmt.Sprintf("lock table {registry}.%s in exclusive mode", m.table())); err != nil {
			return err
		}
		heads, problems, err := p.reader.verifyMonth(ctx, tx, m)
		switch {
		case err != nil:
			return err
		case len(problems.Problems) > 0:
			return &TamperError{Report: problems}
		}
		chains = len(heads)
		// A chain already has a checkpoint if a spill delivered a part of it after its month was removed.
		for _, h := range heads {
			mac := p.reader.mac(h)
			if _, err := tx.Exec(ctx,
				`insert into {registry}.audit_checkpoints (chain, month, position, digest, mac) values ($1, $2, $3, $4, $5)
				on conflict (chain) do update set
					position = excluded.position, digest = excluded.digest, mac = excluded.mac, removed_at = default`,
				[16]byte(h.Chain), h.Month, h.Position, h.Digest[:], mac[:],
			); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, fmt.Sprintf(`delete from {registry}.audit_heads where month = '%s';
			alter table {registry}.audit_log detach partition {registry}.%s;
			drop table {registry}.%[2]s`, m.first().Format(time.DateOnly), m.table()))
		return err
	})
	return chains, err
}
