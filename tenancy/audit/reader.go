package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Querier is the connection of a [Reader]: a *pgxpool.Pool, or a *schemactx.DB, which then reads in
// the public scope. Its role is the owner, or a reader of [Grant].
type Querier interface {
	// Query runs a query, as the pools do.
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ReaderConfig configures a [Reader].
type ReaderConfig struct {
	// Keys are the values of [Config].Key with which the rows were written, the current one first.
	// With keys, rows without a key are not accepted, unless one of Keys is empty, for a log that
	// started without a key. Default: none, plain hashes.
	Keys [][]byte

	// RegistrySchema is the schema of the log's tables, as in [tenancy.Config]. Default: public.
	RegistrySchema string
}

// Reader reads and verifies the log. It is safe for concurrent use. ctx governs the queries; a
// schema in ctx has no effect.
type Reader struct {
	db   Querier
	keys [][]byte
}

// NewReader returns a reader. A key that is too short is a [FieldError].
func NewReader(db Querier, cfg ReaderConfig) (*Reader, error) {
	if db == nil {
		return nil, errNoDB
	}
	for _, key := range cfg.Keys {
		if len(key) > 0 {
			if err := checkKey("keys", key); err != nil {
				return nil, err
			}
		}
	}
	schema, err := registrydb.Parse(cfg.RegistrySchema)
	if err != nil {
		return nil, fmt.Errorf("audit: RegistrySchema: %w", err)
	}
	keys := cfg.Keys
	if len(keys) == 0 {
		keys = [][]byte{nil}
	}
	return &Reader{db: schema.Reader(db), keys: keys}, nil
}

// Record is a stored entry.
type Record struct {
	Entry

	Chain    ChainID   // the chain of the row
	Position int64     // position in the chain, from 1
	Seq      int64     // number among the tenant's rows in the chain, from 1
	Month    time.Time // first day of the month of the chain
	Hash     Hash
	Received time.Time // when the database received the row, by its clock
}

const recordColumns = "month, chain, position, tenant_id, seq, at, action, actor, slug, schema_name, ip, request_id, " +
	"details::text, hash, received"

// stored is a row of the database.
type stored struct {
	row
	received time.Time
}

// scanStored reads recordColumns.
func scanStored(rows pgx.CollectableRow) (s stored, err error) {
	var id [16]byte
	var m, at time.Time
	var ip *netip.Addr
	var hash []byte
	err = rows.Scan(
		&m,
		&id,
		&s.position,
		&s.tenant,
		&s.seq,
		&at,
		&s.action,
		&s.actor,
		&s.slug,
		&s.schema,
		&ip,
		&s.requestID,
		&s.details,
		&hash,
		&s.received,
	)
	s.month, s.chain, s.at = monthOf(m), id, at.UnixMicro()
	copy(s.hash[:], hash)
	if ip != nil {
		s.ip = *ip
	}
	return s, err
}

func (s stored) record() (Record, error) {
	r := Record{
		Entry: Entry{
			Tenant: s.tenant, Slug: s.slug, Schema: s.schema, Action: s.action, Actor: s.actor, Time: time.UnixMicro(s.at).UTC(),
			IP: s.ip, RequestID: s.requestID,
		},
		Chain: s.chain, Position: s.position, Seq: s.seq, Month: s.month.first(), Hash: s.hash, Received: s.received.UTC(),
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(s.details)))
	dec.UseNumber()
	return r, dec.Decode(&r.Details)
}

// query runs sql in the public scope.
func query[T any](ctx context.Context, db Querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := db.Query(schemactx.NewPublicContext(ctx), sql, args...)
	if err != nil {
		return nil, initialized(err)
	}
	all, err := pgx.CollectRows(rows, scan)
	return all, initialized(err)
}

// each calls fn for each row of a query for recordColumns.
func each(ctx context.Context, db Querier, fn func(*stored), sql string, args ...any) error {
	rows, err := db.Query(schemactx.NewPublicContext(ctx), sql, args...)
	if err != nil {
		return initialized(err)
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanStored(rows)
		if err != nil {
			return err
		}
		fn(&s)
	}
	return initialized(rows.Err())
}
