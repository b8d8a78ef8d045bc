package audit

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ledgerHasher is the hasher shared by all writers to ledgers.
type ledgerHasher struct {
	mu     sync.Mutex
	hasher *hasher
}

// with calls fn with exclusive use of the hasher.
func (l *ledgerHasher) with(fn func(*hasher)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(l.hasher)
}

// Write logs e in its own transaction. It returns nil only if the entry is in the database. After
// an error the entry may be missing, and the caller must not perform the action to be logged. Each
// tenant has one chain of such entries, so writes for one tenant wait for each other. Empty fields
// of e come from ctx, which also governs the transaction.
func (l *Log) Write(ctx context.Context, e Entry) error {
	entry, err := e.entry(ctx, l.cfg.Clock())
	if err != nil {
		return err
	}
	return l.write(ctx, entry)
}

func (l *Log) write(ctx context.Context, e entry) error {
	ctx, cancel := l.writer.store.context(ctx)
	defer cancel()
	err := pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error { return l.append(ctx, tx, e) })
	if err != nil {
		return fmt.Errorf("write audit entry %q: %w", e.action, err)
	}
	return nil
}

// Tx is a transaction in which an entry is written; every pgx.Tx is one.
type Tx interface {
	// QueryRow runs a query, as pgx.Tx does.
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// WriteTx logs e in the caller's transaction: the entry is committed or rolled back with the rest.
// The role of the transaction needs the rights of a writer, see [Grant]. Tenant roles do not have
// them, so use a transaction of the owner or of the public scope. Other entries of Write and
// WriteTx for the same tenant wait for the end of the transaction, so write the entry last. After
// an error, roll the transaction back.
func (l *Log) WriteTx(ctx context.Context, tx Tx, e Entry) error {
	entry, err := e.entry(ctx, l.cfg.Clock())
	if err != nil {
		return err
	}
	if err := l.append(ctx, tx, entry); err != nil {
		return fmt.Errorf("write audit entry %q: %w", e.Action, err)
	}
	return nil
}

// append adds e after the last row of the tenant's ledger. The ledger row stays locked until the
// transaction ends.
func (l *Log) append(ctx context.Context, tx Tx, e entry) error {
	e.sanitize()
	before, last, err := readTip(ctx, tx, l.schema.SQL("{registry}.audit_tip($1)"), e.tenant)
	if err != nil {
		return err
	}
	now := l.cfg.Clock()
	m := max(monthOf(now), monthOf(time.UnixMicro(e.at)))
	c := &chain{id: before.Chain, month: monthOf(before.Month), position: before.Position, digest: before.Digest}
	c.links = map[int64]link{e.tenant: {seq: before.Position, hash: last}}
	if before.Position == 0 || c.month != m {
		var opened row
		l.ledger.with(func(h *hasher) { c, opened = newChain(h, m, before, l.writer.internalEntryOf(e.tenant, now)) })
		if err := l.appendLedger(ctx, tx, &opened, c.head()); err != nil {
			return err
		}
	}
	var r row
	l.ledger.with(func(h *hasher) { r = c.add(h, e) })
	return l.appendLedger(ctx, tx, &r, c.head())
}

// readTip reads the last row of a tenant's ledger from a table or function of that shape. If there
// is none, the result is zero.
func readTip(ctx context.Context, db Tx, from string, tenant int64) (h ChainHead, last Hash, err error) {
	var id [16]byte
	var m time.Time
	var hash, digest []byte
	err = db.QueryRow(ctx, `select
		coalesce(chain, '00000000-0000-0000-0000-000000000000'), coalesce(month, '0001-01-01'), position,
		coalesce(hash, ''), coalesce(digest, '') from `+from, tenant).
		Scan(&id, &m, &h.Position, &hash, &digest)
	h.Chain, h.Month = id, m
	copy(last[:], hash)
	copy(h.Digest[:], digest)
	return h, last, initialized(err)
}

func (l *Log) appendLedger(ctx context.Context, tx Tx, r *row, h ChainHead) error {
	var ip *netip.Addr
	if r.ip.IsValid() {
		ip = &r.ip
	}
	return tx.QueryRow(ctx,
		l.schema.SQL("select {registry}.audit_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)::text"),
		r.tenant, h.Month, [16]byte(r.chain), r.position, time.UnixMicro(r.at), string(r.action), r.actor, r.slug, r.schema,
		ip, r.requestID, r.details, r.hash[:], h.Digest[:]).
		Scan(new(string))
}

// internalEntryOf is internalEntry for the ledger of a tenant.
func (w *writer) internalEntryOf(tenant int64, now time.Time) entry {
	e := w.internalEntry(now)
	e.tenant = tenant
	return e
}
