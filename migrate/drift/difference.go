package drift

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Change is the kind of a difference.
type Change string

// The kinds of differences.
const (
	ChangeMissing    Change = "missing"    // the reference has it, the schema does not
	ChangeUnexpected Change = "unexpected" // the schema has it, the reference does not
	ChangeDifferent  Change = "different"  // both have it, in different definitions
	ChangeReordered  Change = "reordered"  // the columns that both tables have are in another order
)

// Difference is one object that differs from the reference. If a table is missing or unexpected,
// there is one difference for the table and none for its columns, indexes and other objects.
type Difference struct {
	Change Change     `json:"change"`
	Kind   ObjectKind `json:"kind"`
	Table  string     `json:"table,omitempty"` // as in [Object]
	Name   string     `json:"name"`
	// Have is the schema's definition, as of [Object.Definition]. For ChangeReordered it is the list
	// of columns.
	Have   string `json:"have,omitempty"`
	Want   string `json:"want,omitempty"` // the definition or list of the reference
	Reason string `json:"reason"`         // one line: "table students: column birthday is missing"
}

// String returns the reason.
func (d Difference) String() string { return d.Reason }

func missing(o Object) Difference {
	return difference(ChangeMissing, o, "", o.Definition(), o.String()+" is missing")
}

func unexpected(o Object) Difference {
	return difference(ChangeUnexpected, o, o.Definition(), "", o.String()+" is unexpected")
}

func difference(c Change, o Object, have, want, reason string) Difference {
	return Difference{Change: c, Kind: o.Kind, Table: o.Table, Name: o.Name, Have: have, Want: want, Reason: reason}
}

// different compares the properties of an object of a schema with those of the reference. ok is
// false if nothing differs. schema is the name of the schema, for [same].
func different(have, want Object, schema string) (d Difference, ok bool) {
	var reasons []string
	for _, p := range have.Properties {
		if w := want.property(p.Name); !same(p.Value, w, schema) {
			reasons = append(reasons, reason(p.Name, p.Value, w))
		}
	}
	for _, p := range want.Properties {
		if have.property(p.Name) == "" {
			reasons = append(reasons, reason(p.Name, "", p.Value))
		}
	}
	if len(reasons) == 0 {
		return d, false
	}
	return difference(
		ChangeDifferent,
		have,
		have.Definition(),
		want.Definition(),
		have.String()+": "+strings.Join(reasons, "; "),
	), true
}

// excerpt is how many bytes of a long text a reason shows. A value of at most that length on one
// line is shown as a whole.
const excerpt = 60

// reason says how a property differs. For long texts it shows where they begin to differ.
func reason(property, have, want string) string {
	if property == "grants" {
		return grantsReason(have, want)
	}
	if len(have) <= excerpt && len(want) <= excerpt && !strings.ContainsAny(have+want, "\n\r") {
		return property + " is " + orNone(have) + ", expected " + orNone(want)
	}
	n := 0
	for n < len(have) && n < len(want) && have[n] == want[n] {
		n++
	}
	n = max(0, strings.LastIndexAny(have[:n], " \n\t(,")+1) // back to the beginning of the word that differs
	return property + " has " + quoteExcerpt(have, n) + ", expected " + quoteExcerpt(want, n)
}

// grantsReason compares grants role by role.
func grantsReason(have, want string) string {
	h, w := grantsByRole(have), grantsByRole(want)
	all := maps.Clone(h)
	maps.Copy(all, w)
	var reasons []string
	for _, role := range slices.Sorted(maps.Keys(all)) {
		if h[role] != w[role] {
			reasons = append(reasons, "grants to "+role+" are "+cmp.Or(h[role], "none")+", expected "+cmp.Or(w[role], "none"))
		}
	}
	return strings.Join(reasons, "; ")
}

// grantsByRole parses the property "grants": role=PRIVILEGE,PRIVILEGE role=PRIVILEGE.
func grantsByRole(grants string) map[string]string {
	roles := make(map[string]string)
	for grants != "" {
		eq := 0
		if grants[0] == '"' {
			eq = quotedLen(grants, '"', false)
		}
		eq += max(0, strings.IndexByte(grants[eq:], '='))
		privileges, rest, _ := strings.Cut(grants[eq:], " ")
		roles[grants[:eq]] = strings.TrimPrefix(privileges, "=")
		grants = rest
	}
	return roles
}

func orNone(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}

// quoteExcerpt returns an excerpt of text from byte n on, as one line. It marks with "..." where
// text was left out. It returns "none" for an empty text, and "its end" if nothing follows byte n.
func quoteExcerpt(text string, n int) string {
	if text == "" {
		return "none"
	}
	part := strings.Join(strings.Fields(text[n:]), " ")
	if part == "" {
		return "its end"
	}
	before, after := "", ""
	if n > 0 {
		before = "..."
	}
	if len(part) > excerpt {
		part, after = part[:excerpt], "..."
		for !utf8.ValidString(part) {
			part = part[:len(part)-1]
		}
	}
	return before + part + after
}
