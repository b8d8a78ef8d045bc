package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// note is the content of the comment on the version table. Checksums are in the comment because
// goose's table has no column for them and must stay as goose made it. A second table in each of
// thousands of schemas would cost a relation, an index and their catalog rows each. A comment is
// one row of pg_description, which is part of a dump and goes away with the table.
//
//	{"pgtenant":{"<tstamp>":{"<version>":"<checksum>"}},
//	 "compatible":{"<source>":{"from":5,"versions":[6,7]}}}
//
// The time is that of the version's row, in microseconds. If goose has undone a migration and
// applied it again, the times differ, and nothing is known of what goose has applied. "compatible"
// says which older programs may work with the schema, because those programs do not have the newer
// files. "half" is a migration without a transaction that is running or has stopped. Older programs
// ignore parts that they do not know.
type note struct {
	Sums       map[int64]map[int64]string `json:"pgtenant"`
	Compatible json.RawMessage            `json:"compatible,omitempty"` // of [compatible] by source
	Half       *halfDone                  `json:"half,omitempty"`
}

// text returns the note as the text of the comment.
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
		panic(err) // numbers, strings, and maps and lists of them always have a JSON form
	}
	return text
}

// noteLen is how many hex digits of a checksum are kept. 64 bits are enough to notice an edited
// file.
const noteLen = 16

// readNote reads from the comment what is known of the applied versions. A comment of another
// program is ignored, and later not replaced.
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

// after returns the comment to write after the steps.
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

// origin describes a source: what it declares about older programs, and its versions. All
// migrations of the source point to the same origin.
type origin struct {
	from     int64   // CompatibleFrom plus the base; 0: no older program is compatible
	versions []int64 // of the source, plus the base, oldest first
}

func (o *origin) newest() int64 { return o.versions[len(o.versions)-1] }

// originate sets the origin of the source's migrations, which are sorted by version.
func (src Source) originate(all []*migration) error {
	o := &origin{versions: make([]int64, len(all))}
	for i, m := range all {
		m.origin = o
		o.versions[i] = m.version
	}
	if src.CompatibleFrom == 0 {
		return nil
	}
	if o.from = src.Base + src.CompatibleFrom; o.from < src.Base || o.from > o.newest() {
		return fmt.Errorf("migrations of %q: CompatibleFrom %d is newer than the newest version, %d",
			src.Name, src.CompatibleFrom, o.newest()-src.Base)
	}
	return nil
}

// compatible says, in a schema's note, which programs can work with the applied migrations of one
// source: those whose newest version of the source is at least From. Versions are the applied
// versions that such a program need not know.
type compatible struct {
	From     int64   `json:"from"`
	Versions []int64 `json:"versions"`
}

// readCompatible reads the compatible part of a note. A part that is not valid permits nothing.
func readCompatible(raw json.RawMessage) map[string]compatible {
	all := make(map[string]compatible)
	if len(raw) > 0 && json.Unmarshal(raw, &all) != nil {
		return make(map[string]compatible)
	}
	return all
}

// declared returns the compatible part of the note after the steps. The sources of the steps get
// what they declare now; the others keep what before has. has reports whether a version is applied
// after the steps.
func declared(before map[string]compatible, steps []step, has func(version int64) bool) map[string]compatible {
	all := make(map[string]compatible, len(before))
	maps.Copy(all, before)
	for _, st := range steps {
		c := compatible{From: st.m.origin.from}
		for _, v := range st.m.origin.versions {
			if c.From > 0 && v > c.From && has(v) {
				c.Versions = append(c.Versions, v)
			}
		}
		if delete(all, st.m.source); len(c.Versions) > 0 {
			all[st.m.source] = c
		}
	}
	return all
}

// permits reports whether a program with this set may work with a schema in which the unknown
// versions are applied, which the set does not have. all is the compatible part of the schema's
// note: the program that applied the versions has declared there which older programs may.
func (s set) permits(unknown []int64, all map[string]compatible) bool {
	newest := make(map[string]int64)
	for _, m := range s {
		newest[m.source] = m.origin.newest()
	}
	for _, v := range unknown {
		known := false
		for source, c := range all {
			known = known || c.From > 0 && newest[source] >= c.From && slices.Contains(c.Versions, v)
		}
		if !known {
			return false
		}
	}
	return true
}
