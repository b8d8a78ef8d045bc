package backup

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs for a row whose text is larger than the 1 GB that PostgreSQL can hold in memory at
// once. The text of a bytea has twice its size.
const (
	programLimitExceeded = "54000"
	internalError        = "XX000"
	dataCorrupted        = "XX001"
)

// SQLSTATEs of values that the server cannot read: for instance, of an enum that lacks them, a time
// out of range, text in another encoding.
const (
	invalidBinary    = "22P03"
	datetimeOverflow = "22008"
	invalidEncoding  = "22021"
)

// tooLarge returns an [UnsupportedError] if err is that of a COPY of a row that is too large, or of
// a value that the server cannot read, else err.
func copyError(schema, table string, err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case invalidBinary, datetimeOverflow, invalidEncoding, dataCorrupted:
		return errors.Join(&UnsupportedError{schema, []Unsupported{{"table " + table, "has a value that the server cannot read: " + pgErr.Message}}}, err)
	}
	// The error of an allocation has no SQLSTATE of its own. Its message is not translated.
	if pgErr.Code != programLimitExceeded && (pgErr.Code != internalError || !strings.HasPrefix(pgErr.Message, "invalid memory alloc request size")) {
		return err
	}
	return errors.Join(&UnsupportedError{schema, []Unsupported{{
		"table " + table,
		"has a row that is too large for COPY: the text of a row is limited to 1 GB, and a bytea has twice its size as text",
	}}}, err)
}

// unsupported returns an error that names all that an archive cannot hold.
func (c *catalog) unsupported() error {
	var found []Unsupported
	add := func(object, reason string) { found = append(found, Unsupported{object, reason}) }
	for _, name := range c.extensions {
		add("extension "+name, "is in the schema: a database has it once, so that it belongs into one that all share")
	}
	for _, r := range c.relations {
		switch {
		case r.kind == "f":
			add("table "+r.name, "is a foreign table: its rows are elsewhere")
		case r.extension != nil:
			add("relation "+r.name, "belongs to extension "+*r.extension)
		case r.crossesSchemas:
			add("table "+r.name, "is a partition across schemas")
		case r.rowsHidden && !c.bypassesRLS && (r.kind == "r" || r.kind == "p"):
			add("table "+r.name, "hides rows from the login by row security, which is forced on its owner or is not the login's to lift")
		}
	}
	for _, t := range c.tables {
		for i, column := range t.Columns {
			if strange, ok := c.unportable[c.columnTypes[t.Name][i]]; ok && column.Generated == "" {
				reason := "has type " + column.Type + ": a value of " + strange + " means nothing outside of this database"
				if strange == "oid" {
					reason += ", and the large objects that such values refer to are in no archive: move them into a bytea column"
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
