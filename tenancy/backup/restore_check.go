package backup

import (
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// checkVersions returns the versions that the archive lists, if the program has the same
// migrations.
func (s *Service) checkVersions(h archive.Header, opts RestoreOptions) ([]int64, error) {
	if opts.Checks > ChecksRefuse {
		return nil, &tenancy.FieldError{
			Field: "checks", Value: fmt.Sprint(opts.Checks), Rule: "is neither ChecksKeep nor ChecksRefuse",
		}
	}
	var versions []int64
	for _, m := range h.Migrations {
		versions = append(versions, m.Version)
	}
	return versions, s.checkApplied(h.Migrations, opts.Edited)
}

// checkApplied returns a [VersionsError] for migrations that the runner refuses under the policy.
func (s *Service) checkApplied(list []archive.Migration, policy EditedPolicy) error {
	var changed migrate.Policy
	switch policy {
	case EditedConfigured:
	case EditedRefuse:
		changed = migrate.Refuse
	case EditedAllow:
		changed = migrate.Allow
	default:
		return &tenancy.FieldError{Field: "edited", Value: fmt.Sprint(policy), Rule: "is not an EditedPolicy"}
	}
	applied := make([]migrate.Migration, len(list))
	for i, m := range list {
		applied[i] = migrate.Migration{Version: m.Version, Source: m.Source, Name: m.Name, Checksum: m.Checksum}
	}
	var refused *migrate.AppliedError
	if err := s.cfg.Migrations.CheckApplied(applied, changed); !errors.As(err, &refused) {
		return err
	}
	return &VersionsError{Unknown: archiveMigrations(refused.Unknown), Edited: archiveMigrations(refused.Edited)}
}

func archiveMigrations(list []migrate.Migration) (all []archive.Migration) {
	for _, m := range list {
		all = append(all, archive.Migration{Version: m.Version, Source: m.Source, Name: m.Name, Checksum: m.Checksum})
	}
	return all
}

// compare returns a [MismatchError] unless the archive has exactly the tables, columns, sequences
// and materialized views that the migrations created. With [DriftRecord] some of them may be
// missing in the archive.
func (l *loader) compare(h archive.Header, sequences []archive.Sequence, policy DriftPolicy) error {
	d := &mismatch{tolerant: policy == DriftRecord}
	d.tables(h.Tables, l.catalog.tables)
	made := make(map[sequenceKey]bool)
	for _, s := range sequences {
		made[keyOf(s)] = true
	}
	have := make(map[sequenceKey]bool)
	for _, s := range h.Sequences {
		if have[keyOf(s)] {
			d.refuse("sequence %q is in the archive twice", s.Name)
		}
		have[keyOf(s)] = true
		if !made[keyOf(s)] {
			d.refuse("sequence %q is only in the archive", s.Name)
		}
	}
	for _, s := range sequences {
		if !have[keyOf(s)] {
			d.differ("sequence %q is not in the archive", s.Name)
		}
	}
	views := make(map[string]bool)
	for _, r := range l.catalog.relations {
		if r.kind == "m" {
			views[r.name] = true
		}
	}
	for _, v := range h.MaterializedViews {
		if !views[v.Name] {
			d.differ("materialized view %q is only in the archive", v.Name)
		}
		delete(views, v.Name)
	}
	for name := range views {
		d.differ("materialized view %q is not in the archive", name)
	}
	if len(d.all) > 0 {
		return &MismatchError{d.all}
	}
	return nil
}

// mismatch collects differences.
type mismatch struct {
	tolerant bool
	all      []string
}

// refuse adds a difference that no policy allows.
func (d *mismatch) refuse(format string, args ...any) {
	d.all = append(d.all, fmt.Sprintf(format, args...))
}

// differ adds a difference unless the policy tolerates it.
func (d *mismatch) differ(format string, args ...any) {
	if !d.tolerant {
		d.refuse(format, args...)
	}
}

func (d *mismatch) tables(have, made []archive.Table) {
	byName := make(map[string]archive.Table)
	for _, t := range made {
		byName[t.Name] = t
	}
	for _, t := range have {
		m, ok := byName[t.Name]
		delete(byName, t.Name)
		switch {
		case !ok:
			d.refuse("table %q is only in the archive", t.Name)
		case t.Partitioned != m.Partitioned:
			d.refuse("table %q is partitioned only in the archive, or only in the schema", t.Name)
		default:
			d.columns(t, m)
		}
	}
	for name := range byName {
		d.differ("table %q is not in the archive", name)
	}
}

func (d *mismatch) columns(have, made archive.Table) {
	byName := make(map[string]archive.Column)
	for _, c := range made.Columns {
		byName[c.Name] = c
	}
	for _, c := range have.Columns {
		m, ok := byName[c.Name]
		delete(byName, c.Name)
		stored := c.Generated == ""
		switch {
		case !ok && stored:
			d.refuse("table %q: column %q is only in the archive", have.Name, c.Name)
		case !ok:
			d.differ("table %q: generated column %q is only in the archive", have.Name, c.Name)
		case stored && m.Generated != "":
			d.refuse("table %q: column %q is generated only in the schema", have.Name, c.Name)
		case c.Type != m.Type:
			d.differ("table %q: column %q has type %q in the archive, not %q", have.Name, c.Name, c.Type, m.Type)
		case c.Generated != m.Generated || c.Identity != m.Identity:
			d.differ("table %q: column %q is generated differently", have.Name, c.Name)
		}
	}
	for name := range byName {
		d.differ("table %q: column %q is not in the archive", have.Name, name)
	}
}
