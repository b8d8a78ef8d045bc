package drift

import (
	"slices"
	"strings"
)

// partitions removes from the objects the partitions that were created at run time, if the
// reference has the partitioned table: they are the tenant's data. It adds a difference for what
// such a partition has beyond what the server gives each partition.
func (c *comparison) partitions() {
	tables := make(map[string]Object)
	for _, o := range c.objects {
		if o.Kind == ObjectTable {
			tables[o.Name] = o
		}
	}
	parents := make(map[string]string)
	for name := range tables {
		if parent, ok := c.madeAtRunTime(name, tables); ok {
			parents[name] = parent
		}
	}
	if len(parents) == 0 {
		return
	}
	have := make(map[objectKey]Object, len(c.objects))
	for _, o := range c.objects {
		have[o.key()] = o
	}
	c.objects = slices.DeleteFunc(slices.Clone(c.objects), func(o Object) bool {
		name := o.Table
		if o.Kind == ObjectTable {
			name = o.Name
		}
		parent, ok := parents[name]
		if ok {
			c.ofPartition(o, parent, have)
		}
		return ok
	})
}

// madeAtRunTime returns the parent of a partition. ok is true if the reference has the topmost
// partitioned table and does not have the partition.
func (c *comparison) madeAtRunTime(name string, tables map[string]Object) (parent string, ok bool) {
	parent = strings.TrimPrefix(tables[name].property("inherits"), "{schema}.")
	if _, expected := c.ref.index[objectKey{ObjectTable, "", name}]; expected || tables[name].property("bounds") == "" {
		return "", false
	}
	if i, expected := c.ref.index[objectKey{ObjectTable, "", parent}]; expected {
		return parent, c.ref.objects[i].property("form") == "partitioned"
	}
	_, ok = c.madeAtRunTime(parent, tables) // the server has no cycles
	return parent, ok
}

// ofPartition compares an object of a partition with that of its parent.
func (c *comparison) ofPartition(o Object, parent string, have map[objectKey]Object) {
	var want Object
	switch o.Kind {
	case ObjectTable:
		want = Object{Kind: o.Kind, Name: o.Name, Properties: partitionProperties(have[objectKey{ObjectTable, "", parent}],
			"owner", "grants", "access method")}
		for _, p := range o.Properties {
			if slices.Contains([]string{"form", "partition key", "inherits", "bounds"}, p.Name) {
				want.Properties = append(want.Properties, p)
			}
		}
	case ObjectColumn:
		// Rows that are inserted through the parent get the parent's defaults.
		above := have[objectKey{o.Kind, parent, o.Name}]
		compared := []string{"type", "collation", "not null", "generated", "grants"}
		o.Properties = slices.DeleteFunc(
			slices.Clone(o.Properties),
			func(p Property) bool { return !slices.Contains(compared, p.Name) },
		)
		want = Object{Kind: o.Kind, Table: o.Table, Name: o.Name, Properties: partitionProperties(above, compared...)}
	case ObjectConstraint:
		if o.property("inherited") != "" {
			return
		}
	case ObjectIndex:
		if o.property("inherits") != "" {
			return
		}
	case ObjectTrigger:
		above, ok := have[objectKey{o.Kind, parent, o.Name}]
		if ok {
			want = Object{Kind: o.Kind, Table: o.Table, Name: o.Name, Properties: slices.Clone(above.Properties)}
			for i, p := range want.Properties {
				want.Properties[i].Value = strings.Replace(p.Value, " ON {schema}."+parent+" ", " ON {schema}."+o.Table+" ", 1)
			}
		}
	}
	if want.Kind == "" {
		c.differ(unexpected(o))
	} else if d, ok := different(o, want, c.schema); ok {
		c.differ(d)
	}
}

// partitionProperties returns the properties of a parent that its partitions have, too.
func partitionProperties(above Object, names ...string) (all []Property) {
	for _, name := range names {
		if v := above.property(name); v != "" {
			all = append(all, Property{name, v})
		}
	}
	return all
}

// Tables returns the unquoted names of the tables, partitions included.
func (s Structure) Tables() (names []string) {
	for _, o := range s.Objects {
		if o.Kind == ObjectTable {
			names = append(names, unquoteName(o.Name))
		}
	}
	return names
}

func unquoteName(name string) string {
	if inner, ok := strings.CutPrefix(name, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return name
}

// extra removes from the objects the tables of [Options].ExtraTables, with their partitions
// and all that belongs to them.
func (ref reference) extra(objects []Object) []Object {
	if len(ref.opts.ExtraTables) == 0 {
		return objects
	}
	names := make(map[string]bool)
	for more := true; more; {
		more = false
		for _, o := range objects {
			_, made := ref.index[objectKey{ObjectTable, "", o.Name}]
			named := o.property("bounds") == "" && slices.Contains(ref.opts.ExtraTables, unquoteName(o.Name))
			below := o.property("bounds") != "" && names[strings.TrimPrefix(o.property("inherits"), "{schema}.")]
			if o.Kind == ObjectTable && !made && !names[o.Name] && (named || below) {
				names[o.Name], more = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool {
		return names[o.Table] || o.Kind == ObjectTable && names[o.Name]
	})
}
