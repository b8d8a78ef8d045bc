package backup

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs for a row whose text is larger than 1 GB, the most that PostgreSQL can allocate at
// once. The text of a bytea has twice its size.
const (
	programLimitExceeded = "54000"
	internalError        = "XX000"
)

// SQLSTATEs of values that the server cannot read, for instance a value that its enum lacks, a time
// out of range, or text in another encoding.
const (
	invalidBinary    = "22P03"
	datetimeOverflow = "22008"
	invalidEncoding  = "22021"
	dataCorrupted    = "XX001"
)

// copyError returns an [UnsupportedError] if COPY failed because a row is too large or because the
// server cannot read a value. It returns other errors unchanged.
func copyError(schema, table string, err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case invalidBinary, datetimeOverflow, invalidEncoding, dataCorrupted:
		return errors.Join(&UnsupportedError{schema, []Unsupported{{
			"table " + table, "has a value that the server cannot read: " + pgErr.Message,
		}}}, err)
	}
	// A failed allocation has no SQLSTATE of its own. Its message is not translated.
	allocation := pgErr.Code == internalError && strings.HasPrefix(pgErr.Message, "invalid memory alloc request size")
	if pgErr.Code != programLimitExceeded && !allocation {
		return err
	}
	return errors.Join(&UnsupportedError{schema, []Unsupported{{
		"table " + table,
		"has a row that is too large for COPY: the text of a row is limited to 1 GB, and a bytea has twice its size as text",
	}}}, err)
}

// unsupported returns an [UnsupportedError] that names all objects that an archive cannot contain.
func (c *catalog) unsupported() error {
	var found []Unsupported
	add := func(object, reason string) { found = append(found, Unsupported{object, reason}) }
	for _, name := range c.extensions {
		add("extension "+name, "is in the schema: a database has it once, so it belongs into a schema that all tenants share")
	}
	for _, r := range c.relations {
		switch {
		case r.kind == "f":
			add("table "+r.name, "is a foreign table: its rows are on another server")
		case r.extension != nil:
			add("relation "+r.name, "belongs to extension "+*r.extension)
		case r.crossesSchemas:
			add("table "+r.name, "has a partition or a parent in another schema")
		case r.rowsHidden && !c.bypassesRLS && (r.kind == "r" || r.kind == "p"):
			add("table "+r.name,
				"hides rows from the login by row security: it is forced on the owner, or the login is not the owner")
		}
	}
	for _, t := range c.tables {
		for i, column := range t.Columns {
			if innerType, ok := c.unportable[c.columnTypes[t.Name][i]]; ok && column.Generated == "" {
				reason := "has type " + column.Type + ": a value of type " + innerType + " has no meaning outside of this database"
				if innerType == "oid" {
					reason += ", and an archive does not contain large objects: move them into a bytea column"
				}
				add("column "+t.Name+"."+column.Name, reason)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &UnsupportedError{c.schema, found}
}
