package migrate

import "fmt"

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
