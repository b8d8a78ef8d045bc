package migrate

import "fmt"

// appliedCheck is the comparison of a schema's applied versions with the sources. Up, Status, the
// fleet, drift and package backup all use it to decide whether a schema is current, edited or
// newer.
type appliedCheck struct {
	unknown    []int64      // versions that no source has
	edited     []*migration // applied, and their files have changed since
	compatible bool         // there are unknown versions, and they permit this program to use the schema
}

func (t target) checkApplied(s state) appliedCheck {
	var st appliedCheck
	for _, a := range s.applied {
		m := t.set.find(a.version)
		switch {
		case m == nil:
			st.unknown = append(st.unknown, a.version)
		case m.edited(s.sums[a.version]):
			st.edited = append(st.edited, m)
		}
	}
	st.compatible = len(st.unknown) > 0 && t.set.permits(st.unknown, s.compatible)
	return st
}

// refusal returns why no migration may be run in the schema, or nil. A program that is older than
// the schema may be allowed to use it, but never to migrate it.
func (t target) refusal(st appliedCheck) error {
	switch {
	case len(st.unknown) > 0:
		return t.wrap(fmt.Errorf("%w: %d", ErrUnknownVersion, st.unknown[0]))
	case len(st.edited) > 0 && t.cfg.Changed == Refuse:
		return t.wrap(fmt.Errorf("%w: %s/%s", ErrChanged, st.edited[0].source, st.edited[0].file))
	}
	return nil
}

// versions returns the versions of the edited migrations.
func (st appliedCheck) versions() []int64 {
	var versions []int64
	for _, m := range st.edited {
		versions = append(versions, m.version)
	}
	return versions
}

// pending returns the versions that are not applied, oldest first.
func (t target) pending(s state) []int64 {
	var versions []int64
	for _, m := range t.set {
		if !s.has(m.version) {
			versions = append(versions, m.version)
		}
	}
	return versions
}

// outcome returns the outcome for a schema with the state s, and the error if Up would refuse.
func (t target) outcome(s state) (Outcome, error) {
	steps, err := t.next(upTo{Newest}, s)
	switch {
	case err != nil:
		return outcomeOf(err), err
	case len(steps) > 0:
		return Behind, nil
	case len(t.checkApplied(s).unknown) > 0:
		return NewerCompatible, nil
	}
	return Current, nil
}

// AppliedError is returned by [Runner.CheckApplied]: the migrations that were applied elsewhere,
// such as in the schema of a backup, differ from those of the sources. It wraps [ErrUnknownVersion]
// if versions are unknown, and [ErrChanged] if files were edited.
type AppliedError struct {
	Unknown []Migration // that no source has
	Edited  []Migration // the file has changed, or another source has the version
}

// Error returns the first of each kind.
func (e *AppliedError) Error() string {
	switch {
	case len(e.Unknown) > 0:
		return fmt.Sprintf("%v: %d of %q", ErrUnknownVersion, e.Unknown[0].Version, e.Unknown[0].Source)
	default:
		return fmt.Sprintf("%v: %d of %q", ErrChanged, e.Edited[0].Version, e.Edited[0].Source)
	}
}

// Unwrap returns the sentinels.
func (e *AppliedError) Unwrap() []error {
	var all []error
	if len(e.Unknown) > 0 {
		all = append(all, ErrUnknownVersion)
	}
	if len(e.Edited) > 0 {
		all = append(all, ErrChanged)
	}
	return all
}

// CheckApplied compares migrations that were applied elsewhere, such as in the schema of a backup,
// with the tenant set. It returns an [AppliedError] if the set does not have them. Version, Source
// and Checksum are compared; a Checksum may be empty, or the first 16 digits. Edited files are an
// error if changed is [Refuse] and none if it is [Allow]; 0 means [Config.Changed]. It does not use
// the database.
func (r *Runner) CheckApplied(applied []Migration, changed Policy) error {
	if changed == 0 {
		changed = r.cfg.Changed
	}
	var refused AppliedError
	for _, a := range applied {
		m := r.tenant.find(a.Version)
		switch {
		case m == nil:
			refused.Unknown = append(refused.Unknown, a)
		case changed == Refuse && (m.source != a.Source || m.edited(a.Checksum)):
			refused.Edited = append(refused.Edited, a)
		}
	}
	if len(refused.Unknown)+len(refused.Edited) > 0 {
		return &refused
	}
	return nil
}
