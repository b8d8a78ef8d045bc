package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/oryne/pgtenant/migrate"
)

// maxReferences is how many structures are kept: tenants are at the newest versions, or at the release's before.
const maxReferences = 8

// references are the structures that sets of migrations make. Each costs as much as making a tenant, and is built once.
type references struct {
	sem   chan struct{} // holds one while somebody reads or builds
	built map[string]migrate.Structure
}

// referenceAge says whether a structure that was built earlier will do.
type referenceAge int

const (
	referenceCached  referenceAge = iota // it will
	referenceRebuilt                     // it is to be built: the server may have got another version since
)

// reference returns the structure that versions make. It takes a connection, so that nobody must hold one who calls it.
func (s *Service) reference(ctx context.Context, versions []int64, age referenceAge) (migrate.Structure, error) {
	select {
	case s.references.sem <- struct{}{}:
	case <-ctx.Done():
		return migrate.Structure{}, ctx.Err()
	}
	defer func() { <-s.references.sem }()
	key := fmt.Sprint(versions)
	if built, ok := s.references.built[key]; ok && age == referenceCached {
		return built, nil
	}
	only, err := s.cfg.Migrations.Only(versions)
	if err != nil {
		return migrate.Structure{}, err
	}
	built, err := only.Reference(ctx, s.fingerprintOptions())
	if err != nil {
		return migrate.Structure{}, err
	}
	if s.references.built == nil || len(s.references.built) >= maxReferences {
		s.references.built = make(map[string]migrate.Structure)
	}
	s.references.built[key] = built
	return built, nil
}

func (s *Service) fingerprintOptions() migrate.FingerprintOptions {
	return migrate.FingerprintOptions{Roles: s.cfg.Roles, LockTimeout: s.cfg.LockTimeout}
}

// versionsOf returns what is applied, in order.
func versionsOf(status migrate.Status) []int64 {
	return slices.Sorted(slices.Values(status.Versions(migrate.Applied, migrate.Changed, migrate.Unknown)))
}
