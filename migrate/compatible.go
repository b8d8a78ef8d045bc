package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// origin is what a source declares for all of its migrations, which share it.
type origin struct {
	from     int64   // CompatibleFrom with the base; 0: no older program
	versions []int64 // of the source, with the base, oldest first
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

// readCompatible reads this part of a note. A part that is not valid permits nothing.
func readCompatible(raw json.RawMessage) map[string]compatible {
	all := make(map[string]compatible)
	if len(raw) > 0 && json.Unmarshal(raw, &all) != nil {
		return make(map[string]compatible)
	}
	return all
}

// declared returns this part of the note after the steps, with what their sources declare now. has
// reports whether a version is applied then.
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

// permits reports whether a program with this set can work with a schema that has versions unknown
// to the set. It decides by what the program that applied them has declared in the schema.
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
