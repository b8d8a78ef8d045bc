package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy"
)

// snapshotOptions decide about a schema that differs from what its migrations create.
type snapshotOptions struct {
	drift  DriftPolicy
	edited EditedPolicy
}

// checkedSnapshot takes a snapshot and compares its structure with what its migrations create. It
// determines what they create before the snapshot, because that needs a connection. If the snapshot
// has other versions, it tries again.
func (s *Service) checkedSnapshot(
	ctx context.Context, t *tenancy.Tenant, domains []tenancy.Domain, opts snapshotOptions,
) (*snapshot, error) {
	age := referenceCached
	for range maxSnapshots {
		want, err := s.expect(ctx, t.Schema, age, opts.edited)
		if err != nil && (opts.drift != DriftRecord || !errors.Is(err, ErrVersions)) {
			return nil, err
		}
		snap, err := s.openSnapshot(ctx, t, domains, want.extra)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(want.versions, versionsOf(snap.status)) {
			snap.close(ctx)
			continue
		}
		differences := want.differences(snap.structure, func(drift.Difference) bool { return false })
		if len(differences) > 0 && want.referenceErr == nil && age == referenceCached {
			snap.close(ctx)
			age = referenceRebuilt // a structure that was built before an upgrade of the server can differ
			continue
		}
		if len(differences) > 0 && opts.drift != DriftRecord {
			snap.close(ctx)
			return nil, &DriftError{t.Schema, differences}
		}
		snap.header.Differences = differences
		if snap.header.Partitions, err = snap.catalog.madeAtRunTime(want); err == nil {
			err = s.sortTables(ctx, snap)
		}
		if err != nil {
			snap.close(ctx)
			return nil, err
		}
		return snap, nil
	}
	return nil, fmt.Errorf("%w: schema %q was migrated during each of %d attempts", ErrChanged, t.Schema, maxSnapshots)
}

// expected is the structure that a schema should have.
type expected struct {
	versions     []int64
	referenceErr error // why there is no reference: the program lacks migrations, or has edited ones
	reference    drift.Structure
	extra        []string // expected tables that are not in the reference
}

func (s *Service) expect(ctx context.Context, schema string, age referenceAge, edited EditedPolicy) (expected, error) {
	status, err := s.cfg.Migrations.Status(ctx, schema)
	if err != nil {
		return expected{}, err
	}
	want := expected{versions: versionsOf(status)}
	if want.referenceErr = s.checkApplied(migrationsOf(status), edited); want.referenceErr != nil {
		return want, want.referenceErr
	}
	want.reference, err = s.reference(ctx, want.versions, age)
	made := want.reference.Tables()
	want.extra = slices.DeleteFunc(s.cfg.Migrations.Config().ExtraTables, func(name string) bool {
		return slices.Contains(made, name)
	})
	return want, err
}

// differences lists how a structure differs, without differences that do not affect data and those
// for which skip returns true.
func (want expected) differences(have drift.Structure, skip func(drift.Difference) bool) []string {
	if want.referenceErr != nil {
		return []string{want.referenceErr.Error()}
	}
	var texts []string
	for _, d := range drift.Compare(have, drift.Options{
		Reference: &want.reference, ExtraTables: want.extra, IgnoreGrants: true, IgnoreOwners: true, IgnoreOrder: true,
	}) {
		if !skip(d) {
			texts = append(texts, d.String())
		}
	}
	return texts
}

// maxReferences bounds the cached structures. Tenants usually have the newest versions or those of
// the previous release.
const maxReferences = 8

// references caches the structures that sets of migrations create. Building one costs as much as
// creating a tenant.
type references struct {
	sem   chan struct{} // a lock, of capacity 1: held while the cache is read or a structure is built
	built map[string]drift.Structure
}

// referenceAge says whether a cached structure is acceptable.
type referenceAge int

const (
	referenceCached  referenceAge = iota // a cached structure is acceptable
	referenceRebuilt                     // build it again: the server may have been upgraded since
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
	return drift.ReadOptions{Roles: s.cfg.Tenants.Roles(), LockTimeout: s.cfg.LockTimeout}
}

// versionsOf returns the applied versions in ascending order.
func versionsOf(status migrate.Status) []int64 {
	return slices.Sorted(slices.Values(status.Versions(migrate.Applied, migrate.Changed, migrate.Unknown)))
}
