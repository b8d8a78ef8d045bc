package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy"
)

// snapshotOptions say whether a schema is accepted that is not what its migrations make.
type snapshotOptions struct {
	drift  DriftPolicy
	edited EditedPolicy
}

// checkedSnapshot takes a snapshot and compares the structure that it has with what its migrations make. What they make is found out
// before, as that needs a connection; where the snapshot has other versions it is taken anew.
func (s *Service) checkedSnapshot(ctx context.Context, t *tenancy.Tenant, domains []tenancy.Domain, opts snapshotOptions) (*snapshot, error) {
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
			age = referenceRebuilt // what was built before an upgrade of the server reads differently
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
	return nil, fmt.Errorf("%w: schema %q had other migrations each of %d times", ErrChanged, t.Schema, maxSnapshots)
}

// expected is what a schema should be.
type expected struct {
	versions     []int64
	referenceErr error // why there is no reference: migrations that the program does not have, or that were edited
	reference    drift.Structure
	extra        []string // tables that are expected beside the reference's; nil where there is none
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
	want.extra = slices.DeleteFunc(s.cfg.Migrations.Config().ExtraTables, func(name string) bool { return slices.Contains(made, name) })
	return want, err
}

// differences returns how a structure differs, without differences that do not affect data and
// those for which skip returns true.
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
