package migrate

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
)

// set has the migrations of all sources for one kind of schema, sorted by version.
type set []*migration

// firstDate is the lowest version that counts as a date or a time and not as a number in a
// sequence: 19700101 and 20250131120000 are dates, 00042 and 1000042 are not.
const firstDate = 10_000_000

// load reads the sources of a set. schema is the name of the shared schema.
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

// checkGaps sorts the migrations of a source and returns an error if the numbered versions are not
// consecutive. A gap means that a file was forgotten, or that two branches each skipped a number
// for the other. The first number may be any, so that old files can be squashed. Versions that are
// dates may have gaps.
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

// fingerprint returns a name for the versions of the set. Sets with other versions have other
// names. The name of a set sorts after the names of sets with fewer migrations.
func (s set) fingerprint() string {
	sum := sha256.New()
	for _, m := range s {
		fmt.Fprintln(sum, m.version)
	}
	return fmt.Sprintf("%08d-%x", len(s), sum.Sum(nil)[:8])
}

// Subset returns a runner that has only the tenant migrations of the versions, in any order, and
// all shared migrations. It is for the schema of an older release. It returns [ErrNoMigration] for
// a version that no source has.
func (r *Runner) Subset(versions []int64) (*Runner, error) {
	wanted := make(map[int64]bool, len(versions))
	for _, v := range versions {
		if r.tenant.find(v) == nil {
			return nil, fmt.Errorf("tenant migrations: %w: %d", ErrNoMigration, v)
		}
		wanted[v] = true
	}
	only := *r
	only.tenant = nil
	for _, m := range r.tenant {
		if wanted[m.version] {
			only.tenant = append(only.tenant, m)
		}
	}
	return &only, nil
}
