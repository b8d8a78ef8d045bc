package backup

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
		case r.strayed:
			add("table "+r.name, "is a partition across schemas")
		case r.secured && !c.bypassesRLS && (r.kind == "r" || r.kind == "p"):
			add("table "+r.name, "hides rows from the login by row security, which is forced on its owner or is not the login's to lift")
		}
	}
	for _, t := range c.tables {
		for i, column := range t.Columns {
			if strange, ok := c.types[c.columnTypes[t.Name][i]]; ok && column.Generated == "" {
				add("column "+t.Name+"."+column.Name, "has type "+column.Type+": a value of "+strange+" means nothing outside of this database")
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &UnsupportedError{c.schema, found}
}
