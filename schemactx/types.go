package schemactx

import (
	"container/list"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// maxTypeMaps is of how many schemas a connection keeps the types.
const maxTypeMaps = 64

// firstUserOID is the lowest OID of types that PostgreSQL does not bring along.
const firstUserOID = 16384

// schemaTypes are the types of [Config].Types as one connection knows them in one schema: the same name has another OID
// in each schema.
type schemaTypes struct {
	scope   *scope // that they were loaded in; after a [DB.Refresh] the schema has another
	typeMap *pgtype.Map
	others  map[uint32]bool // that a statement had and are none of them
	tx      *txState        // that alone may use them: its snapshot hid types from them; nil for none
	stale   bool            // the server or a codec says that they may be others by now
}

// doubt has the types loaded again before they are needed next. It does nothing on nil.
func (t *schemaTypes) doubt() {
	if t != nil {
		t.stale = true
	}
}

func (t *schemaTypes) has(oid uint32) bool {
	_, ok := t.typeMap.TypeForOID(oid)
	return ok || t.others[oid]
}

// typeCache holds the types of the schemas that a connection served last.
type typeCache struct {
	entries map[string]*list.Element
	recent  list.List // of *schemaTypes, the most recently used first
}

func (c *typeCache) get(sc *scope, tx *txState) *schemaTypes {
	el, ok := c.entries[sc.schema]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(el)
	if t := el.Value.(*schemaTypes); t.scope == sc && !t.stale && (t.tx == nil || t.tx == tx) {
		return t
	}
	return nil
}

func (c *typeCache) put(t *schemaTypes) {
	if c.entries == nil {
		c.entries = make(map[string]*list.Element)
	}
	c.drop(t.scope.schema)
	c.entries[t.scope.schema] = c.recent.PushFront(t)
	if c.recent.Len() > maxTypeMaps {
		c.drop(c.recent.Back().Value.(*schemaTypes).scope.schema)
	}
}

func (c *typeCache) drop(schema string) {
	if el, ok := c.entries[schema]; ok {
		c.recent.Remove(el)
		delete(c.entries, schema)
	}
}

// typesMayBeStale reports whether an error says that a type is not what it was.
func typesMayBeStale(state string) bool {
	switch state {
	case stateFeatureUnsupported, stateDatatypeMismatch, stateUndefinedObject, stateInternalError, stateInvalidBinary:
		return true
	}
	return false
}

// qualifiedType is one of [Config].Types. Without a schema it is of the tenant's.
type qualifiedType struct{ schema, name string }

func parseTypes(names []string) ([]qualifiedType, error) {
	types := make([]qualifiedType, len(names))
	for i, name := range names {
		t := &types[i]
		schema, local, qualified := strings.Cut(name, ".")
		if t.schema, t.name = schema, local; !qualified {
			t.schema, t.name = "", name
		}
		switch {
		case strings.HasSuffix(name, "[]"):
			return nil, fmt.Errorf("schemactx: type %q: an array comes with the type of its elements", name)
		case t.name == "" || qualified && t.schema == "" || strings.ContainsAny(t.name, ".\"\x00") || strings.ContainsAny(t.schema, "\"\x00") ||
			!utf8.ValidString(name):
			return nil, fmt.Errorf("schemactx: %q is not the name of a type, or of a schema and a type", name)
		case slices.Contains(types[:i], *t):
			return nil, fmt.Errorf("schemactx: type %q is there twice", name)
		}
	}
	return types, nil
}

// typesFor returns the types of the schema where one of the statements may need them, and nil where they can do without.
// A statement that has not been described is nil and may need anything.
//
// They are loaded when a statement has an OID that neither pgx nor what was loaded before knows, which also finds a type
// that was made since, or made again.
func (u *unit) typesFor(ctx context.Context, tx *txState, sds ...*pgconn.StatementDescription) (*schemaTypes, error) {
	if len(u.db.types) == 0 {
		return nil, nil
	}
	t := u.state.types.get(u.scope, tx)
	if !slices.ContainsFunc(sds, func(sd *pgconn.StatementDescription) bool { return u.needsTypes(sd, t) }) {
		return t, nil
	}
	err := u.twice(ctx, tx, func() (err error) {
		t, err = u.loadTypes(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the types of schema %q: %w", u.scope.schema, err)
	}
	for _, sd := range sds {
		eachOID(sd, func(oid uint32) {
			if u.unknown(oid, t) {
				t.others[oid] = true
				t.tx = tx.ifSnapshot()
			}
		})
	}
	u.state.types.put(t)
	return t, nil
}

// needsTypes reports whether a statement has a type that neither the connection nor t knows.
func (u *unit) needsTypes(sd *pgconn.StatementDescription, t *schemaTypes) (needs bool) {
	if sd == nil {
		return t == nil
	}
	eachOID(sd, func(oid uint32) { needs = needs || u.unknown(oid, t) })
	return needs
}

// usesTypes reports whether a statement has a type that pgx does not know.
func (u *unit) usesTypes(sd *pgconn.StatementDescription) bool {
	return len(u.db.types) > 0 && sd != nil && u.needsTypes(sd, nil)
}

func (u *unit) unknown(oid uint32, t *schemaTypes) bool {
	if oid < firstUserOID || t != nil && t.has(oid) {
		return false
	}
	_, ok := u.conn.TypeMap().TypeForOID(oid)
	return !ok
}

func eachOID(sd *pgconn.StatementDescription, fn func(oid uint32)) {
	if sd == nil {
		return
	}
	for _, oid := range sd.ParamOIDs {
		fn(oid)
	}
	for i := range sd.Fields {
		fn(sd.Fields[i].DataTypeOID)
	}
}

// noteFields looks at the result of a statement that has not been described: where it has a type that is not known, the
// types are loaded again before the next one.
func (u *unit) noteFields(t *schemaTypes, fields []pgconn.FieldDescription) {
	for i := range fields {
		if oid := fields[i].DataTypeOID; t != nil && u.unknown(oid, t) {
			t.others[oid] = true
			t.stale = true
		}
	}
}

// encodeDescribed encodes the arguments of a statement that stays unnamed, which could not be encoded without knowing
// their types: err is why. The server is asked for them, in one round trip; the statement runs unnamed all the same.
func (u *unit) encodeDescribed(ctx context.Context, tx *txState, c *call, err error) error {
	if len(u.db.types) == 0 || len(c.args) == 0 {
		return err
	}
	sd, err := u.describe(ctx, tx, c.sql)
	if err != nil {
		return err
	}
	t, err := u.typesFor(ctx, tx, sd)
	if err != nil {
		return err
	}
	return c.encode(u.mapFor(t), &u.state.eqb, sd)
}

// mapFor returns the codecs to use with t.
func (u *unit) mapFor(t *schemaTypes) *pgtype.Map {
	if t == nil {
		return u.conn.TypeMap()
	}
	return t.typeMap
}

// typesSQL finds the types of the names $2 in the schemas $1 and all that they are made of or that is made of them: base
// types of domains, attributes, elements and arrays, the subtypes of ranges, their multiranges. LIMIT 1 keeps the planner to
// an index scan for each type: the catalogs of thousands of schemas are large, and how many types come is guessed.
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

// loadTypes asks the server for the types of the schema, in the scope: it is a round trip.
func (u *unit) loadTypes(ctx context.Context, tx *txState) (*schemaTypes, error) {
	p := u.conn.PgConn().StartPipeline(ctx)
	front := u.prepareFront(tx)
	for _, o := range front {
		p.SendQueryParams(o.sql, o.params, nil, nil, nil)
	}
	if sd := u.state.own[typesSQL]; sd != nil && u.db.named() {
		p.SendQueryPrepared(sd.Name, u.typesParams(), nil, nil)
	} else {
		p.SendQueryParams(typesSQL, u.typesParams(), nil, nil, nil)
	}
	err := p.Sync()
	if err == nil {
		err = u.readPrepared(p, tx, 0, nil, front, nil)
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
		u.settle()
	}
	t := &schemaTypes{scope: u.scope, typeMap: u.buildTypes(list), others: make(map[uint32]bool)}
	if el, ok := u.state.types.entries[u.scope.schema]; ok && el.Value.(*schemaTypes).scope == u.scope {
		maps.Copy(t.others, el.Value.(*schemaTypes).others)
	}
	return t, nil
}

func (u *unit) typesParams() [][]byte {
	var schemas, names []string
	for _, t := range u.db.types {
		if t.schema == "" {
			t.schema = u.scope.schema
		}
		schemas, names = append(schemas, t.schema), append(names, t.name)
	}
	return [][]byte{arrayOf(schemas), arrayOf(names)}
}

// typeRow is a type as the server describes it.
type typeRow struct {
	oid          uint32
	schema, name string
	kind         string // a for an array, else as in pg_type.typtype
	delim        string
	of           uint32 // that it is made of: element, base type, subtype, range
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

// buildTypes returns a copy of the connection's own types and those of list. Types of other schemas are the first: a bare
// name is that of the tenant's.
func (u *unit) buildTypes(list []*typeRow) *pgtype.Map {
	base := u.conn.TypeMap()
	b := typeBuilder{base: base, rows: make(map[uint32]*typeRow, len(list))}
	for _, row := range list {
		b.rows[row.oid] = row
	}
	slices.SortStableFunc(list, func(a, b *typeRow) int {
		switch own := u.scope.schema; {
		case a.schema != own && b.schema == own:
			return -1
		case a.schema == own && b.schema != own:
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

// typeBuilder makes codecs of types that are made of others.
type typeBuilder struct {
	base *pgtype.Map
	rows map[uint32]*typeRow
}

// build returns the type. What nobody knows is text, and what has it in it travels as text.
func (b *typeBuilder) build(oid uint32) *pgtype.Type {
	if t, ok := b.base.TypeForOID(oid); ok {
		return t // built in, or the program's own
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

// compositeCodec refuses a value that has other attributes than the type had when it was loaded: pgx goes by their
// position, and would leave out a new one and read a changed one as what it was.
type compositeCodec struct{ pgtype.CompositeCodec }

// errTypeAltered is what reading a value of a composite type returns when the type was altered since it was loaded. The
// next statement that needs it loads it again.
var errTypeAltered = errors.New("the composite type has been altered since it was loaded")

func (c *compositeCodec) fits(src []byte) bool {
	if len(src) < 4 || binary.BigEndian.Uint32(src) != uint32(len(c.Fields)) {
		return false
	}
	src = src[4:]
	for _, field := range c.Fields {
		if len(src) < 8 || binary.BigEndian.Uint32(src) != field.Type.OID {
			return false
		}
		size := max(0, int(int32(binary.BigEndian.Uint32(src[4:])))) // -1 for NULL
		if src = src[8:]; len(src) < size {
			return false
		}
		src = src[size:]
	}
	return true
}

// PlanScan implements [pgtype.Codec].
func (c *compositeCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	plan := c.CompositeCodec.PlanScan(m, oid, format, target)
	if plan == nil || format != pgtype.BinaryFormatCode {
		return plan
	}
	return compositePlan{plan, c}
}

// DecodeValue implements [pgtype.Codec].
func (c *compositeCodec) DecodeValue(m *pgtype.Map, oid uint32, format int16, src []byte) (any, error) {
	if src != nil && format == pgtype.BinaryFormatCode && !c.fits(src) {
		return nil, errTypeAltered
	}
	return c.CompositeCodec.DecodeValue(m, oid, format, src)
}

type compositePlan struct {
	pgtype.ScanPlan
	codec *compositeCodec
}

// Scan implements [pgtype.ScanPlan].
func (p compositePlan) Scan(src []byte, target any) error {
	if src != nil && !p.codec.fits(src) {
		return errTypeAltered
	}
	return p.ScanPlan.Scan(src, target)
}
