package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// maxReferences bounds the cached structures. Tenants usually have the newest versions or those of
// the previous release.
const maxReferences = 8

// references caches the structures that sets of migrations create. Building one costs as much as
// creating a tenant.
type references struct {
	sem   chan struct{} // of capacity 1; held while the cache is read or a structure is built
	built map[string]drift.Structure
}

// referenceAge says whether a cached structure is acceptable.
type referenceAge int

const (
	referenceCached  referenceAge = iota // it is
	referenceRebuilt                     // build it anew: the server may have been upgraded since
)

// reference returns the structure that versions create. It takes a connection, so that callers must
// not hold one.
func (s *Service) reference(ctx context.Context, versions []int64, age referenceAge) (drift.Structure, error) {
	select {
	case s.references.sem <- struct{}{}:
	case <-ctx.Done():
		return drift.Structure{}, ctx.Err()
	}
	defer func() { <-s.references.sem }()
	key := fmt.Sprint(versions)
	if built, ok := s.references.built[key]; ok && age == referenceCached {
		return built, nil
	}
	only, err := s.cfg.Migrations.Subset(versions)
	if err != nil {
		return drift.Structure{}, err
	}
	built, err := drift.Reference(ctx, only, s.fingerprintOptions())
	if err != nil {
		return drift.Structure{}, err
	}
	if s.references.built == nil || len(s.references.built) >= maxReferences {
		s.references.built = make(map[string]drift.Structure)
	}
	s.references.built[key] = built
	return built, nil
}

func (s *Service) fingerprintOptions() drift.ReadOptions {
	return drift.ReadOptions{Roles: s.cfg.Roles, LockTimeout: s.cfg.LockTimeout}
}

// versionsOf returns the applied versions in ascending order.
func versionsOf(status migrate.Status) []int64 {
	return slices.Sorted(slices.Values(status.Versions(migrate.Applied, migrate.Changed, migrate.Unknown)))
}
