package schemactx

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// typesSQL finds the types with the names $2 in the schemas $1 and all types that they consist of
// or that are derived from them: base types of domains, attributes, elements and arrays, the
// subtypes of ranges, and multiranges. LIMIT 1 keeps the planner at an index scan for each type:
// the catalogs of thousands of schemas are large, and the planner can only guess the number of
// types.
const typesSQL = `with recursive known(oid) as (
	select t.oid from rows from (unnest($1::text[]), unnest($2::text[])) as named(schema, name),
	lateral (select n.oid from pg_catalog.pg_namespace n where n.nspname = named.schema limit 1) n,
	lateral (select t.oid from pg_catalog.pg_type t where t.typnamespace = n.oid and t.typname = named.name limit 1) t
	union
	select part.oid from known, lateral (select * from pg_catalog.pg_type t where t.oid = known.oid limit 1) t, lateral (
		select t.typbasetype union all select t.typarray
		union all select t.typelem where t.typtype = 'b' and t.typcategory = 'A'
		union all select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid
		union all select r.rngmultitypid from pg_catalog.pg_range r where r.rngtypid = t.oid
		union all select r.rngtypid from pg_catalog.pg_range r where r.rngmultitypid = t.oid
		union all select a.atttypid from pg_catalog.pg_attribute a
			where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped
	) as part(oid) where part.oid >= 16384
)
select t.oid, (select n.nspname::text from pg_catalog.pg_namespace n where n.oid = t.typnamespace), t.typname::text,
	case when t.typtype = 'b' and t.typcategory = 'A' then 'a' else t.typtype::text end, t.typdelim::text,
	case t.typtype when 'd' then t.typbasetype when 'b' then t.typelem
		when 'r' then (select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid)
		when 'm' then (select r.rngtypid from pg_catalog.pg_range r where r.rngmultitypid = t.oid)
		else 0 end,
	a.names, a.types
from known, lateral (select * from pg_catalog.pg_type t where t.oid = known.oid limit 1) t,
lateral (select array_agg(a.attname::text order by a.attnum) as names, array_agg(a.atttypid order by a.attnum) as types
	from pg_catalog.pg_attribute a
	where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped) a`

// loadTypes loads the types of the schema from the server, in the scope. It costs one round trip.
func (u *unitOfWork) loadTypes(ctx context.Context, tx *txState) (*schemaTypes, error) {
	p := u.conn.PgConn().StartPipeline(ctx)
	prologue := u.preparePrologue(tx)
	for _, o := range prologue {
		p.SendQueryParams(o.sql, o.params, nil, nil, nil)
	}
	// unprepared, like the prologue: a function may have deallocated a prepared statement
	p.SendQueryParams(typesSQL, u.typesParams(), nil, nil, nil)
	err := p.Sync()
	if err == nil {
		err = u.readPrepared(p, tx, 0, nil, prologue, nil)
	}
	var list []*typeRow
	if err == nil {
		list, err = readTypes(p, u.conn.TypeMap())
	}
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	if tx == nil {
		u.noteEnd()
	}
	t := &schemaTypes{scope: u.scope, typeMap: u.buildTypes(list), others: make(map[uint32]bool)}
	if el, ok := u.state.types.entries[u.scope.schema]; ok && el.Value.(*schemaTypes).scope == u.scope {
		maps.Copy(t.others, el.Value.(*schemaTypes).others)
	}
	return t, nil
}

func (u *unitOfWork) typesParams() [][]byte {
	var schemas, names []string
	for _, t := range u.db.types {
		if t.schema == "" {
			t.schema = u.scope.schema
		}
		schemas, names = append(schemas, t.schema), append(names, t.name)
	}
	return [][]byte{textArray(schemas), textArray(names)}
}

// typeRow is a type as the server describes it.
type typeRow struct {
	oid          uint32
	schema, name string
	kind         string // a for an array, else as in pg_type.typtype
	delim        string
	of           uint32 // the type that it is made of: element, base type, subtype, range
	attributes   []string
	types        []uint32 // of the attributes

	built *pgtype.Type
	begun bool
}

func readTypes(p *pgconn.Pipeline, m *pgtype.Map) ([]*typeRow, error) {
	rr, err := result[*pgconn.ResultReader](p)
	if err != nil {
		return nil, err
	}
	rows := pgx.RowsFromResultReader(m, rr)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*typeRow, error) {
		t := &typeRow{}
		return t, row.Scan(&t.oid, &t.schema, &t.name, &t.kind, &t.delim, &t.of, &t.attributes, &t.types)
	})
}

// buildTypes returns a copy of the connection's own types plus those of list. Types of other
// schemas are registered first, so a name without a schema means the tenant's type.
func (u *unitOfWork) buildTypes(list []*typeRow) *pgtype.Map {
	base := u.conn.TypeMap()
	b := typeBuilder{base: base, rows: make(map[uint32]*typeRow, len(list))}
	for _, row := range list {
		b.rows[row.oid] = row
	}
	slices.SortStableFunc(list, func(a, b *typeRow) int {
		switch tenant := u.scope.schema; {
		case a.schema != tenant && b.schema == tenant:
			return -1
		case a.schema == tenant && b.schema != tenant:
			return 1
		}
		return 0
	})
	m := base.Copy()
	m.TryWrapEncodePlanFuncs, m.TryWrapScanPlanFuncs = base.TryWrapEncodePlanFuncs, base.TryWrapScanPlanFuncs
	for _, row := range list {
		t := b.build(row.oid)
		m.RegisterType(&pgtype.Type{Name: row.schema + "." + t.Name, OID: t.OID, Codec: t.Codec})
		m.RegisterType(t)
	}
	return m
}

// typeBuilder builds codecs of types that consist of other types.
type typeBuilder struct {
	base *pgtype.Map
	rows map[uint32]*typeRow
}

// build returns the type. A type that neither pgx nor the schema describes is text, and so is a
// type inside itself.
func (b *typeBuilder) build(oid uint32) *pgtype.Type {
	if t, ok := b.base.TypeForOID(oid); ok {
		return t // built in, or registered by the program
	}
	row := b.rows[oid]
	switch {
	case row == nil, row.begun && row.built == nil:
		return &pgtype.Type{Name: fmt.Sprint(oid), OID: oid, Codec: textCodec}
	case row.built == nil:
		row.begun = true
		row.built = &pgtype.Type{Name: row.name, OID: oid, Codec: b.codec(row)}
	}
	return row.built
}

var textCodec = &pgtype.TextFormatOnlyCodec{Codec: pgtype.TextCodec{}}

func (b *typeBuilder) codec(row *typeRow) pgtype.Codec {
	switch row.kind {
	case "e":
		return &pgtype.EnumCodec{}
	case "d":
		return b.build(row.of).Codec
	case "a":
		return &pgtype.ArrayCodec{ElementType: b.build(row.of), Delimiter: row.delim[0]}
	case "r":
		return &pgtype.RangeCodec{ElementType: b.build(row.of)}
	case "m":
		return &pgtype.MultirangeCodec{ElementType: b.build(row.of)}
	case "c":
		fields := make([]pgtype.CompositeCodecField, len(row.attributes))
		for i, name := range row.attributes {
			fields[i] = pgtype.CompositeCodecField{Name: name, Type: b.build(row.types[i])}
		}
		return &compositeCodec{pgtype.CompositeCodec{Fields: fields}}
	}
	return textCodec
}
