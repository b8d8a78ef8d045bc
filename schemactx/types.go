package schemactx

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/oryne/pgtenant/internal/sqlstate"
)

// maxTypeMaps is of how many schemas a connection keeps the types.
const maxTypeMaps = 64

// firstUserOID is the lowest OID of types that PostgreSQL does not bring along.
const firstUserOID = 16384

// schemaTypes are the types of [Config].Types as one connection knows them in one schema: the same
// name has another OID in each schema.
type schemaTypes struct {
	scope   *scope // that they were loaded in; after a [DB.Refresh] the schema has another
	typeMap *pgtype.Map
	others  map[uint32]bool // that a statement had and are none of them
	tx      *txState        // that alone may use them: its snapshot hid types from them; nil for none
	stale   bool            // the server or a codec says that they may be others by now
}

// doubt has the types loaded again before they are needed next. It does nothing on nil.
func (t *schemaTypes) markStale() {
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
	case sqlstate.FeatureUnsupported,
		sqlstate.DatatypeMismatch,
		sqlstate.UndefinedObject,
		sqlstate.InternalError,
		sqlstate.InvalidBinary:
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
		case t.name == "", qualified && t.schema == "", strings.Contains(t.name, "."), strings.ContainsAny(name, "\"\x00"),
			!utf8.ValidString(name):
			return nil, fmt.Errorf("schemactx: %q is not the name of a type, or of a schema and a type", name)
		case slices.Contains(types[:i], *t):
			return nil, fmt.Errorf("schemactx: type %q is there twice", name)
		}
	}
	return types, nil
}

// typesFor returns the types of the schema where one of the statements may need them, and nil where
// they can do without. A statement that has not been described is nil and may need anything.
//
// They are loaded when a statement has an OID that neither pgx nor what was loaded before knows,
// which also finds a type that was made since, or made again.
func (u *unitOfWork) typesFor(
	ctx context.Context,
	tx *txState,
	sds ...*pgconn.StatementDescription,
) (*schemaTypes, error) {
	if len(u.db.types) == 0 {
		return nil, nil
	}
	t := u.state.types.get(u.scope, tx)
	if !slices.ContainsFunc(sds, func(sd *pgconn.StatementDescription) bool { return u.needsTypes(sd, t) }) {
		return t, nil
	}
	err := u.retryPrologue(ctx, tx, func() (err error) {
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
func (u *unitOfWork) needsTypes(sd *pgconn.StatementDescription, t *schemaTypes) (needs bool) {
	if sd == nil {
		return t == nil
	}
	eachOID(sd, func(oid uint32) { needs = needs || u.unknown(oid, t) })
	return needs
}

// usesTypes reports whether a statement has a type that pgx does not know.
func (u *unitOfWork) usesTypes(sd *pgconn.StatementDescription) bool {
	return len(u.db.types) > 0 && sd != nil && u.needsTypes(sd, nil)
}

func (u *unitOfWork) unknown(oid uint32, t *schemaTypes) bool {
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

// noteFields looks at the result of a statement that has not been described: where it has a type
// that is not known, the types are loaded again before the next one.
func (u *unitOfWork) noteFields(t *schemaTypes, fields []pgconn.FieldDescription) {
	for i := range fields {
		if oid := fields[i].DataTypeOID; t != nil && u.unknown(oid, t) {
			t.others[oid] = true
			t.stale = true
		}
	}
}

// encodeDescribed encodes the arguments of a statement that stays unnamed, which could not be
// encoded without knowing their types: err is why. The server is asked for them, in one round trip;
// the statement runs unnamed all the same.
func (u *unitOfWork) encodeDescribed(ctx context.Context, tx *txState, c *input, err error) error {
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
func (u *unitOfWork) mapFor(t *schemaTypes) *pgtype.Map {
	if t == nil {
		return u.conn.TypeMap()
	}
	return t.typeMap
}
