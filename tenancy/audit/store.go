package audit

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// DB is the connection of a [Log]: a *pgxpool.Pool, or a *schemactx.DB, which then writes in the
// public scope. Its role has the rights of a writer, see [Grant].
type DB interface {
	// Begin begins a transaction, as the pools do.
	Begin(ctx context.Context) (pgx.Tx, error)
}

// batch holds rows of one chain that are stored together, and the head of the chain after them.
type batch struct {
	rows    []row
	head    ChainHead
	entries int // number of accepted entries among the rows, while pending
}

var logColumns = []string{
	"month",
	"chain",
	"position",
	"tenant_id",
	"seq",
	"at",
	"action",
	"actor",
	"slug",
	"schema_name",
	"ip",
	"request_id",
	"details",
	"hash",
}

// store writes batches into the database.
type store struct {
	db      DB
	schema  registrydb.Schema
	timeout time.Duration
}

// internalKey marks the contexts of the log's own statements, whose failures are not logged as
// entries.
type internalKey struct{}

func (s *store) context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithValue(schemactx.NewPublicContext(ctx), internalKey{}, true)
	return context.WithTimeout(ctx, s.timeout)
}

// copy writes a batch that was never sent before.
func (s *store) copy(ctx context.Context, b batch) error {
	ctx, cancel := s.context(ctx)
	defer cancel()
	return initialized(pgx.BeginFunc(ctx, s.schema.Beginner(s.db), func(tx pgx.Tx) error {
		if _, err := tx.CopyFrom(
			ctx,
			pgx.Identifier{s.schema.Name(), "audit_log"},
			logColumns,
			newCopySource(b.rows),
		); err != nil {
			return err
		}
		return insertHead(ctx, tx, b.head)
	}))
}

func insertHead(ctx context.Context, tx pgx.Tx, h ChainHead) error {
	_, err := tx.Exec(ctx, `insert into {registry}.audit_heads (chain, position, month, digest) values ($1, $2, $3, $4)
		on conflict do nothing`, [16]byte(h.Chain), h.Position, h.Month, h.Digest[:])
	return err
}

// insert writes a batch of which some or all rows may already be stored: a connection can fail
// after a commit and before its confirmation. ON CONFLICT without a target needs no privilege to
// read.
func (s *store) insert(ctx context.Context, b batch) error {
	ctx, cancel := s.context(ctx)
	defer cancel()
	c := columnsOf(b.rows)
	return pgx.BeginFunc(ctx, s.schema.Beginner(s.db), func(tx pgx.Tx) error {
		_, err := tx.Exec(
			ctx,
			`insert into {registry}.audit_log
				(month, chain, position, tenant_id, seq, at, action, actor, slug, schema_name, ip, request_id, details, hash)
			select * from unnest(
				$1::date[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[],
				$9::text[], $10::text[], $11::inet[], $12::text[], $13::jsonb[], $14::bytea[])
			on conflict do nothing`,
			c.month,
			c.chain,
			c.position,
			c.tenant,
			c.seq,
			c.at,
			c.action,
			c.actor,
			c.slug,
			c.schema,
			c.ip,
			c.requestID,
			c.details,
			c.hash,
		)
		if err != nil {
			return err
		}
		return insertHead(ctx, tx, b.head)
	})
}

// columns holds rows as column arrays.
type columns struct {
	month, at                              []time.Time
	chain                                  [][16]byte
	position, tenant, seq                  []int64
	action, actor, slug, schema, requestID []string
	ip                                     []*netip.Addr
	details                                []string
	hash                                   [][]byte
}

func columnsOf(rows []row) (c columns) {
	for i := range rows {
		r := &rows[i]
		c.month, c.at = append(c.month, r.month.first()), append(c.at, time.UnixMicro(r.at))
		c.chain = append(c.chain, r.chain)
		c.position, c.tenant, c.seq = append(c.position, r.position), append(c.tenant, r.tenant), append(c.seq, r.seq)
		c.action, c.actor = append(c.action, string(r.action)), append(c.actor, r.actor)
		c.slug, c.schema = append(c.slug, r.slug), append(c.schema, r.schema)
		c.requestID, c.details = append(c.requestID, r.requestID), append(c.details, r.details)
		c.hash = append(c.hash, r.hash[:])
		var ip *netip.Addr
		if r.ip.IsValid() {
			ip = &r.ip
		}
		c.ip = append(c.ip, ip)
	}
	return c
}

const (
	stateUniqueViolation    = "23505"
	stateLockNotAvailable   = "55P03"
	stateInsufficientRights = "42501"
)

// stateOf returns the SQLSTATE of err, or "".
func stateOf(err error) string {
	var pgErr interface{ SQLState() string }
	if errors.As(err, &pgErr) {
		return pgErr.SQLState()
	}
	return ""
}
