package drift

import (
	"slices"
	"strings"
)

// reference is a structure with an index, to compare others with.
type reference struct {
	opts    Options
	objects []Object
	index   map[objectKey]int
}

func newReference(opts Options) reference {
	ref := reference{opts: opts, objects: opts.keep(opts.Reference.Objects)}
	ref.index = make(map[objectKey]int, len(ref.objects))
	for i, o := range ref.objects {
		ref.index[o.key()] = i
	}
	return ref
}

// Compare returns how a structure differs from opts.Reference, in the order of a [Structure]. It is
// what [Check] does for a schema, for a caller that has read the structure itself, such as in a
// transaction. It panics if opts.Reference is nil.
func Compare(s Structure, opts Options) []Difference { return newReference(opts).compare(s) }

// keep returns the objects without those that the options leave out.
func (opts Options) keep(objects []Object) []Object {
	if opts.Skip == nil && !opts.IgnoreGrants && !opts.IgnoreOwners {
		return objects
	}
	var kept []Object
	for _, o := range objects {
		if opts.Skip != nil && opts.Skip(o) || opts.IgnoreGrants && o.Kind == ObjectDefaultPrivileges {
			continue
		}
		o.Properties = slices.DeleteFunc(slices.Clone(o.Properties), func(p Property) bool {
			return opts.IgnoreGrants && p.Name == "grants" || opts.IgnoreOwners && p.Name == "owner"
		})
		kept = append(kept, o)
	}
	return kept
}

// compare returns how a schema differs, in the order of a structure. Most schemas are equal: they
// are compared in one pass that does not allocate.
func (ref reference) compare(s Structure) []Difference {
	objects := ref.extra(ref.opts.keep(s.Objects))
	if slices.EqualFunc(objects, ref.objects, Object.equal) {
		return nil
	}
	c := comparison{ref: ref, schema: s.Schema, objects: objects, touched: make(map[objectKey]bool)}
	c.partitions()
	found := make(map[objectKey]bool, len(c.objects))
	for _, o := range c.objects {
		found[o.key()] = true
		c.object(o)
	}
	for _, o := range ref.objects {
		if !found[o.key()] {
			c.differ(missing(o))
		}
	}
	if !ref.opts.IgnoreOrder {
		c.order()
	}
	return c.result()
}

// comparison is the comparison of one schema.
type comparison struct {
	ref     reference
	schema  string
	objects []Object
	all     []Difference
	touched map[objectKey]bool // objects with a difference
}

func (c *comparison) object(o Object) {
	i, ok := c.ref.index[o.key()]
	if !ok {
		c.differ(unexpected(o))
		return
	}
	if d, ok := different(o, c.ref.objects[i], c.schema); ok {
		c.differ(d)
	}
}

func (c *comparison) differ(d Difference) {
	c.all = append(c.all, d)
	if d.Change != ChangeReordered {
		c.touched[objectKey{d.Kind, d.Table, d.Name}] = true
	}
}

// order compares the order of the columns that are in both.
func (c *comparison) order() {
	have, want := columns(c.objects), columns(c.ref.objects)
	for table, names := range have {
		expected := want[table]
		h := common(names, expected)
		w := common(expected, names)
		if !slices.Equal(h, w) {
			o := Object{Kind: ObjectTable, Name: table}
			hs, ws := strings.Join(h, ", "), strings.Join(w, ", ")
			c.differ(difference(ChangeReordered, o, hs, ws, o.String()+": columns are in the order "+hs+", expected "+ws))
		}
	}
}

// columns returns the names of the columns of each table, in order.
func columns(objects []Object) map[string][]string {
	tables := make(map[string][]string)
	for _, o := range objects {
		if o.Kind == ObjectColumn {
			tables[o.Table] = append(tables[o.Table], o.Name)
		}
	}
	return tables
}

// common returns those of names that are in others, in the order of names.
func common(names, others []string) []string {
	in := make(map[string]bool, len(others))
	for _, name := range others {
		in[name] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !in[name] })
}

// result returns the differences sorted, without those that follow from another difference.
func (c *comparison) result() []Difference {
	all := slices.DeleteFunc(c.all, c.follows)
	slices.SortFunc(all, func(a, b Difference) int {
		return compareObjects(
			placed{Object: Object{Kind: a.Kind, Table: a.Table, Name: a.Name}},
			placed{Object: Object{Kind: b.Kind, Table: b.Table, Name: b.Name}},
		)
	})
	return all
}

// follows reports whether a difference follows from another one: the object belongs to a table that
// only one of the two has, or it is the sequence of a column that differs.
func (c *comparison) follows(d Difference) bool {
	if d.Table == "" || d.Change != ChangeMissing && d.Change != ChangeUnexpected {
		return false
	}
	if d.Kind == ObjectIdentity && c.touched[objectKey{ObjectColumn, d.Table, d.Name}] {
		return true
	}
	for _, kind := range []ObjectKind{ObjectTable, ObjectView, ObjectMaterializedView} {
		key := objectKey{kind, "", d.Table}
		_, expected := c.ref.index[key]
		if c.touched[key] && expected == (d.Change == ChangeMissing) && c.oneSided(key) {
			return true
		}
	}
	return false
}

// oneSided reports whether only the schema or only the reference has the object.
func (c *comparison) oneSided(key objectKey) bool {
	return slices.ContainsFunc(c.all, func(d Difference) bool {
		return (d.Change == ChangeMissing || d.Change == ChangeUnexpected) && objectKey{d.Kind, d.Table, d.Name} == key
	})
}
