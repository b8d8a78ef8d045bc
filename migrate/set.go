package migrate

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
)

// set is what the sources of one kind of schema have, by version.
type set []*migration

// firstDate is the first version that is read as a date or a time and not as a number in a
// sequence: 19700101 and 20250131120000 are dates, 00042 and 1000042 are not.
const firstDate = 10_000_000

// load reads the sources of a set. schema is that of the shared set.
func load(kind Set, schema string, sources []Source) (set, error) {
	var all set
	names := make(map[string]bool)
	byVersion := make(map[int64]*migration)
	for _, src := range sources {
		loaded, err := src.load(schema)
		if err != nil {
			return nil, err
		}
		if names[src.Name] {
			return nil, fmt.Errorf("migrations of %q: two sources have the name", src.Name)
		}
		names[src.Name] = true
		for _, m := range loaded {
			if other, taken := byVersion[m.version]; taken {
				reason := fmt.Sprintf("has the version %d of %s/%s", m.version, other.source, other.file)
				return nil, &ParseError{Source: m.source, File: m.file, Reason: reason}
			}
			byVersion[m.version] = m
			m.set = kind
			if kind == TenantSet {
				if err := m.refuseShared(); err != nil {
					return nil, err
				}
			}
			all = append(all, m)
		}
	}
	slices.SortFunc(all, byVersionNumber)
	return all, nil
}

func byVersionNumber(a, b *migration) int { return cmp.Compare(a.version, b.version) }

// checkGaps refuses a source whose numbered versions are not consecutive: a file was forgotten, or
// two branches each left one for the other. They may begin anywhere, so that old files can be
// squashed. Versions that are dates have gaps by nature.
func checkGaps(all []*migration, base int64) error {
	slices.SortFunc(all, byVersionNumber)
	for i, m := range all[min(1, len(all)):] {
		before := all[i]
		dates := m.version-base >= firstDate
		if !dates && m.version > before.version+1 {
			return &ParseError{Source: m.source, File: m.file, Reason: fmt.Sprintf("leaves a gap after %s", before.file)}
		}
	}
	return nil
}

// find returns the migration of a version, or nil.
func (s set) find(version int64) *migration {
	i, found := slices.BinarySearchFunc(s, version, func(m *migration, v int64) int { return cmp.Compare(m.version, v) })
	if !found {
		return nil
	}
	return s[i]
}

// fingerprint returns a name of the set that sorts behind those of the smaller sets that it has
// grown from, and differs from those of sets with other versions.
func (s set) fingerprint() string {
	sum := sha256.New()
	for _, m := range s {
		fmt.Fprintln(sum, m.version)
	}
	return fmt.Sprintf("%08d-%x", len(s), sum.Sum(nil)[:8])
}
