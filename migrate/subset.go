package migrate

import "fmt"

// Subset returns a runner that has no other tenant migrations than those of some versions, in whatever order they are given: for a schema as
// an older release made it. A version that no source has is [ErrNoMigration]. The shared migrations are all there.
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
