package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// relation is a table, a materialized view or a sequence.
type relation struct {
	oid            uint32
	name           string
	kind           string // pg_class.relkind
	unlogged       bool
	partition      bool
	populated      bool
	rowsHidden     bool    // row security hides rows from the login, unless it is a superuser
	extension      *string // the extension that owns it
	crossesSchemas bool    // one of its partitions, or its partitioned table, is in another schema

	table, column string // the owner of a sequence
	identity      bool   // whether a sequence belongs to an identity column
}

// catalog describes the relations of a schema in a snapshot.
type catalog struct {
	schema      string
	versions    string   // the version table, which is not part of the data
	extra       []string // tables to exclude
	bypassesRLS bool
	oid         uint32
	relations   []relation
	partitions  []partition // the partitions among relations, each after its parent
	excluded    []string    // excluded tables, which are not in relations
	extensions  []string
	tables      []archive.Table
	columnTypes map[string][]uint32 // OIDs by table, in the order of its columns
	unportable  map[uint32]string   // the unportable ones of columnTypes, with the inner type's name
}

// readSnapshotInfo reads the snapshot's time and id into a header. Its query takes the
// transaction's snapshot.
func (c *catalog) readSnapshotInfo(ctx context.Context, tx pgx.Tx, h *archive.Header) error {
	var encoding string
	err := tx.QueryRow(ctx, snapshotInfoSQL, c.schema).Scan(
		&h.TakenAt, &h.Snapshot, &h.PostgreSQL, &encoding, &c.bypassesRLS, &c.oid)
	switch {
	case err != nil:
		return err
	case c.oid == 0:
		return fmt.Errorf("%w: schema %q does not exist any more", ErrChanged, c.schema)
	case encoding != "UTF8":
		return &UnsupportedError{c.schema, []Unsupported{{"database", "is encoded in " + encoding + ", not in UTF8"}}}
	}
	h.TakenAt = h.TakenAt.UTC()
	return nil
}

// read reads the schema's relations, partitions, extensions and columns.
func (c *catalog) read(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, relationsSQL, c.oid)
	if err != nil {
		return err
	}
	c.relations, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		err = row.Scan(&r.oid, &r.name, &r.kind, &r.unlogged, &r.partition, &r.populated, &r.rowsHidden, &r.extension,
			&r.crossesSchemas, &r.table, &r.column, &r.identity)
		return r, err
	})
	if err != nil {
		return err
	}
	if err := c.readPartitions(ctx, tx); err != nil {
		return err
	}
	c.exclude(c.extra)
	rows, err = tx.Query(ctx, extensionsSQL, c.oid)
	if err != nil {
		return err
	}
	if c.extensions, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	return c.readColumns(ctx, tx)
}

// isTable reports whether the relation's rows are copied by themselves. Rows of a partition are
// copied with its partitioned table.
func (c *catalog) isTable(r relation) bool {
	return (r.kind == "r" || r.kind == "p") && !r.partition && r.name != c.versions
}

func (c *catalog) readColumns(ctx context.Context, tx pgx.Tx) error {
	var oids []uint32
	index := make(map[uint32]int)
	for _, r := range c.relations {
		if c.isTable(r) {
			index[r.oid] = len(oids)
			oids = append(oids, r.oid)
			c.tables = append(c.tables, archive.Table{
				Name: r.name, Partitioned: r.kind == "p", Unlogged: r.unlogged, Columns: []archive.Column{},
			})
		}
	}
	own, err := schemactx.QuoteName(c.schema)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, columnsSQL, oids)
	if err != nil {
		return err
	}
	c.columnTypes = make(map[string][]uint32)
	var table, typ uint32
	var name, typeName, generated, identity string
	_, err = pgx.ForEachRow(rows, []any{&table, &name, &typ, &typeName, &generated, &identity}, func() error {
		t := &c.tables[index[table]]
		t.Columns = append(t.Columns, archive.Column{
			Name: name, Type: portableTypeName(typeName, own, c.schema),
			Generated: generatedKinds[generated], Identity: identityKinds[identity],
		})
		c.columnTypes[t.Name] = append(c.columnTypes[t.Name], typ)
		return nil
	})
	if err != nil {
		return err
	}
	return c.readUnportableTypes(ctx, tx)
}

func (c *catalog) readUnportableTypes(ctx context.Context, tx pgx.Tx) error {
	var all []uint32
	for _, types := range c.columnTypes {
		all = append(all, types...)
	}
	slices.Sort(all)
	rows, err := tx.Query(ctx, unportableTypesSQL, slices.Compact(all))
	if err != nil {
		return err
	}
	c.unportable = make(map[uint32]string)
	var root uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&root, &name}, func() error {
		c.unportable[root] = name
		return nil
	})
	return err
}

var (
	generatedKinds = map[string]archive.Generated{"s": archive.GeneratedStored, "v": archive.GeneratedVirtual}
	identityKinds  = map[string]archive.Identity{"a": archive.IdentityAlways, "d": archive.IdentityByDefault}
)

// portableTypeName replaces the name of the tenant's schema in a type's name by {schema}.
func portableTypeName(typeName, quoted, schema string) string {
	for _, own := range []string{quoted, schema} {
		if rest, ok := strings.CutPrefix(typeName, own+"."); ok {
			return "{schema}." + rest
		}
	}
	return typeName
}

// fill copies the tables and materialized views into a header.
func (c *catalog) fill(h *archive.Header) {
	h.Tables, h.LeftOut = c.tables, c.excluded
	for _, r := range c.relations {
		if r.kind == "m" {
			h.MaterializedViews = append(h.MaterializedViews, archive.MaterializedView{Name: r.name, Populated: r.populated})
		}
	}
}

// quoteOne quotes one name.
func quoteOne(name string) (string, error) { return schemactx.QuoteName(name) }
