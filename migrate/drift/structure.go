package drift

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// Structure is the list of the objects of one schema, as the catalogs have them. It does not depend
// on the name of the schema, on the role of its tenant, or on the order in which the objects were
// created. It holds no lock and no connection.
type Structure struct {
	// Schema is the name of the schema that was read. It is not part of what is compared.
	Schema string `json:"schema"`

	// Objects are in the order of their kinds, tables and names; the columns of a table are in the
	// table's order.
	Objects []Object `json:"objects"`
}

// Object is one object of a schema, such as a table, a column or an index.
//
// Its texts are those of PostgreSQL's own functions (pg_get_viewdef, format_type). They have
// {schema} in place of the schema's name, {owner} in place of the role that migrates or owns the
// schema, and {tenant} in place of the tenant's role.
type Object struct {
	Kind ObjectKind `json:"kind"`
	// Table is the table or view that the object belongs to, quoted where SQL needs that. It is empty
	// for an object that belongs to none.
	Table string `json:"table,omitempty"`
	// Name is quoted where SQL needs that. A routine's name has the types of its arguments. It is
	// empty for the schema.
	Name       string     `json:"name"`
	Properties []Property `json:"properties"` // defaults are left out
}

// Property is one property of an object.
type Property struct {
	Name  string `json:"name"`  // "type", "default", "grants"
	Value string `json:"value"` // never empty
}

// ObjectKind is the kind of an [Object]. A kind without a constant is one of which only the
// existence is compared, or one of a later PostgreSQL. It has the name that pg_identify_object
// gives: "operator class".
type ObjectKind string

// The kinds whose definitions are compared, in the order in which [Structure] has them.
const (
	ObjectSchema            ObjectKind = "schema"             // owner and grants of the schema itself
	ObjectDefaultPrivileges ObjectKind = "default privileges" // ALTER DEFAULT PRIVILEGES IN SCHEMA
	ObjectExtension         ObjectKind = "extension"          // with its version; its members are not looked at
	ObjectEnum              ObjectKind = "enum"               // with its labels in order
	ObjectDomain            ObjectKind = "domain"
	ObjectComposite         ObjectKind = "composite type"
	ObjectRange             ObjectKind = "range"
	ObjectType              ObjectKind = "type" // any other
	ObjectTable             ObjectKind = "table"
	ObjectColumn            ObjectKind = "column"
	ObjectIdentity          ObjectKind = "identity sequence" // named by its column
	ObjectConstraint        ObjectKind = "constraint"        // with the index that it may have
	ObjectIndex             ObjectKind = "index"
	ObjectStatistics        ObjectKind = "statistics"
	ObjectTrigger           ObjectKind = "trigger"
	ObjectPolicy            ObjectKind = "policy"
	ObjectRule              ObjectKind = "rule"
	ObjectSequence          ObjectKind = "sequence"
	ObjectView              ObjectKind = "view"
	ObjectMaterializedView  ObjectKind = "materialized view"
	ObjectFunction          ObjectKind = "function"
	ObjectProcedure         ObjectKind = "procedure"
	ObjectAggregate         ObjectKind = "aggregate"
	ObjectWindowFunction    ObjectKind = "window function"
	ObjectOperator          ObjectKind = "operator"
	ObjectCast              ObjectKind = "cast" // from or to a type of the schema
	ObjectCollation         ObjectKind = "collation"
	ObjectTextSearchDict    ObjectKind = "text search dictionary"
	ObjectTextSearchConfig  ObjectKind = "text search configuration"
)

// kindOrder is the rank of the kinds above; any other comes last.
var kindOrder = map[ObjectKind]int{
	ObjectSchema:            1,
	ObjectDefaultPrivileges: 2,
	ObjectExtension:         3,
	ObjectEnum:              4,
	ObjectDomain:            5,
	ObjectComposite:         6,
	ObjectRange:             7,
	ObjectType:              8,
	ObjectTable:             9,
	ObjectColumn:            10,
	ObjectIdentity:          11,
	ObjectConstraint:        12,
	ObjectIndex:             13,
	ObjectStatistics:        14,
	ObjectTrigger:           15,
	ObjectPolicy:            16,
	ObjectRule:              17,
	ObjectSequence:          18,
	ObjectView:              19,
	ObjectMaterializedView:  20,
	ObjectFunction:          21,
	ObjectProcedure:         22,
	ObjectAggregate:         23,
	ObjectWindowFunction:    24,
	ObjectOperator:          25,
	ObjectCast:              26,
	ObjectCollation:         27,
	ObjectTextSearchDict:    28,
	ObjectTextSearchConfig:  29,
}

// Hash returns the fingerprint of the structure, a SHA-256 in hexadecimal. Equal hashes mean equal
// structures. Two schemas that [Check] finds equal may still have different hashes: a schema that
// has the name of one of its tables is ambiguous in the text of a view. The hash depends on the
// major version of PostgreSQL, whose functions write the texts, and may change with a version of
// this package. It is no secret.
func (s Structure) Hash() string {
	objects := s.Objects
	if objects == nil {
		objects = []Object{}
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(objects); err != nil {
		panic(err) // strings in structs and slices
	}
	return hex.EncodeToString(h.Sum(nil))
}

// String returns the object as a report names it: "table students: column birthday".
func (o Object) String() string {
	name := strings.TrimSuffix(string(o.Kind)+" "+o.Name, " ")
	if o.Table != "" {
		return "table " + o.Table + ": " + name
	}
	return name
}

// Definition returns the properties, one per line.
func (o Object) Definition() string {
	var b strings.Builder
	for i, p := range o.Properties {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Name + ": " + p.Value)
	}
	return b.String()
}

// property returns the value of a property, or "" if it has its default.
func (o Object) property(name string) string {
	for _, p := range o.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func (o Object) equal(other Object) bool {
	return o.key() == other.key() && slices.Equal(o.Properties, other.Properties)
}

// objectKey identifies the same object in two schemas.
type objectKey struct {
	kind        ObjectKind
	table, name string
}

func (o Object) key() objectKey { return objectKey{o.Kind, o.Table, o.Name} }

// compareObjects is the order of a structure. Only columns have positions.
func compareObjects(a, b placed) int {
	return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Table, b.Table),
		cmp.Compare(a.position, b.position), cmp.Compare(a.Name, b.Name))
}

// placed is an object with its position among the objects of its kind.
type placed struct {
	Object
	position int
}

func rank(k ObjectKind) int { return cmp.Or(kindOrder[k], len(kindOrder)+1) }
