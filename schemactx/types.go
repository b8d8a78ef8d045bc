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

// maxTypeMaps is the number of schemas whose types a connection keeps.
const maxTypeMaps = 64

// firstUserOID is the lowest OID of types that are not built in.
const firstUserOID = 16384

// schemaTypes are the types of [Config].Types as one connection knows them in one schema. The same
// name has another OID in each schema.
type schemaTypes struct {
	scope   *scope // the scope that they were loaded in; after a [DB.Refresh] the schema has another
	typeMap *pgtype.Map
	others  map[uint32]bool // OIDs in statements that are not among these types
	tx      *txState        // only this transaction may use them, as its snapshot may hide types; nil: every unit
	stale   bool            // the server or a codec says that they may have changed
}

// markStale marks the types as out of date, so that they are loaded again before they are next
// needed. It does nothing on nil.
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

// typesMayBeStale reports whether an error with this SQLSTATE may mean that a type has changed.
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

// qualifiedType is one of [Config].Types. Without a schema it belongs to the schema of the scope.
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

// typesFor returns the types of the schema if one of the statements may need them, and may return
// nil if none does. nil in sds is a statement that has not been described, which may need any type.
//
// The types are loaded if a statement has an OID that neither pgx nor the loaded types know. So a
// type that was created or recreated since then is found too.
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

// noteFields examines the result of a statement that has not been described. If it has an unknown
// type, the types are loaded again before the next statement.
func (u *unitOfWork) noteFields(t *schemaTypes, fields []pgconn.FieldDescription) {
	for i := range fields {
		if oid := fields[i].DataTypeOID; t != nil && u.unknown(oid, t) {
			t.others[oid] = true
			t.stale = true
		}
	}
}

// encodeDescribed encodes the arguments of an unnamed statement, which could not be encoded without
// their types; err is the reason. It asks the server for the types, in one round trip. The
// statement remains unnamed.
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

// mapFor returns the codecs for t, which may be nil.
func (u *unitOfWork) mapFor(t *schemaTypes) *pgtype.Map {
	if t == nil {
		return u.conn.TypeMap()
	}
	return t.typeMap
}
