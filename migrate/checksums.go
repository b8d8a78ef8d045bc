package migrate

import "encoding/json"

// Checksums are kept in the comment on the version table, because goose's table has no column for
// them and must stay as goose made it. A second table in each of thousands of schemas would cost
// a relation, an index and their catalog rows apiece; a comment is one row of pg_description,
// which goes with a dump, and dies with the table.
//
//	{"pgtenant":{"<tstamp>":{"<version>":"<checksum>"}},"compatible":{"<source>":{"from":5,"versions":[6,7]}}}
//
// The time is that of the version's row, in microseconds: where goose has undone a migration and
// applied it anew the times differ, and nothing is known of what it applied. Which older programs
// may work with the schema stands beside: they do not know the newer files. "half" is a migration
// without a transaction that is running or has stopped. Older programs ignore a part that they do
// not know.
type note struct {
	Sums       map[int64]map[int64]string `json:"pgtenant"`
	Compatible json.RawMessage            `json:"compatible,omitempty"` // of [compatible] by source
	Half       *halfDone                  `json:"half,omitempty"`
}

// text returns the note as it stands in the comment.
func (n note) text(compatible map[string]compatible) string {
	n.Compatible = nil
	if len(compatible) > 0 {
		n.Compatible = marshal(compatible)
	}
	return string(marshal(n))
}

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, strings, and maps and lists of them have a JSON form
	}
	return text
}

// noteLen is how many hex digits of a checksum are kept: 64 bits tell an edited file.
const noteLen = 16

// readNote enters what a comment says of what is applied. Another's comment says nothing, and
// stays.
func (s *state) readNote(comment string) {
	s.sums, s.compatible, s.half, s.noted = make(map[int64]string), nil, nil, true
	if comment == "" {
		return
	}
	var n note
	if err := json.Unmarshal([]byte(comment), &n); err != nil || n.Sums == nil {
		s.noted = false
		return
	}
	for _, a := range s.applied {
		if sum, ok := n.Sums[a.stamp][a.version]; ok {
			s.sums[a.version] = sum
		}
	}
	s.compatible, s.half = readCompatible(n.Compatible), n.Half
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
	if s.half != nil && !stepped[s.half.Version] {
		n.Half = s.half
	}
	then := s.clone()
	then.did(steps)
	return n.text(then.compatible)
}
