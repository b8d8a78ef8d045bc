package migrate

import (
	"encoding/json"
	"strings"
)

// Checksums are kept in the comment on the version table, because goose's table has no column for
// them and must stay as goose made it. A second table in each of thousands of schemas would cost
// a relation, an index and their catalog rows apiece; a comment is one row of pg_description,
// which goes with a dump, and dies with the table.
//
//	{"pgtenant":{"<tstamp>":{"<version>":"<checksum>"}}}
//
// The time is that of the version's row, in microseconds: where goose has undone a migration and
// applied it anew the times differ, and nothing is known of what it applied.
type note struct {
	Sums map[int64]map[int64]string `json:"pgtenant"`
}

// noteLen is how many hex digits of a checksum are kept: 64 bits tell an edited file.
const noteLen = 16

// readNote returns the checksums that a comment has for what is applied, and whether it may be
// replaced: another's comment stays.
func (s *state) readNote(comment string) (map[int64]string, bool) {
	sums := make(map[int64]string)
	if comment == "" {
		return sums, true
	}
	var n note
	if err := json.Unmarshal([]byte(comment), &n); err != nil || n.Sums == nil {
		return sums, false
	}
	for _, a := range s.applied {
		if sum, ok := n.Sums[a.stamp][a.version]; ok {
			sums[a.version] = sum
		}
	}
	return sums, true
}

// after returns the comment for when steps are done as well.
func (s *state) after(steps []step) string {
	n := note{Sums: make(map[int64]map[int64]string)}
	add := func(stamp, version int64, sum string) {
		if n.Sums[stamp] == nil {
			n.Sums[stamp] = make(map[int64]string)
		}
		n.Sums[stamp][version] = sum
	}
	stepped := make(map[int64]bool)
	for _, st := range steps {
		stepped[st.m.version] = true
		switch {
		case st.dir == Up && st.m.checksum != "":
			add(s.now, st.m.version, st.m.checksum[:noteLen])
		case st.dir == Down:
			delete(n.Sums[s.now], st.m.version)
		}
	}
	for _, a := range s.applied {
		if sum, ok := s.sums[a.version]; ok && !stepped[a.version] {
			add(a.stamp, a.version, sum)
		}
	}
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // maps of numbers and strings have a JSON form
	}
	return string(text)
}

// changed reports whether m is another file now than when it was applied. What was applied without
// a checksum, by goose or as a function, is not.
func (s *state) changed(m *migration) bool {
	sum, ok := s.sums[m.version]
	return ok && m.checksum != "" && !strings.HasPrefix(m.checksum, sum)
}
