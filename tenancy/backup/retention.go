package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Retention says which verified backups of a tenant are kept: those that at least one rule keeps.
// The zero value keeps all.
//
// The newest backup is always kept. So are the one that a scheduled run has just made and the one
// that was last verified by a restore into a scratch schema. A backup with a time in the future,
// because a clock was wrong, is kept and counts for no rule. Files that were never verified are no
// backups. They are deleted when they are older than a day, unless the clocks of the process and of
// the registry's server differ by more than a minute.
//
// If a scheduled backup finds the store's disk full, it deletes what the rules would not keep
// beside the new backup, and tries once more.
type Retention struct {
	Last    int // the newest n backups
	Daily   int // the newest of each of the last n days (UTC) with a backup
	Weekly  int // the newest of each of the last n ISO weeks with a backup
	Monthly int // the newest of each of the last n months with a backup
}

func (r Retention) all() bool { return r == Retention{} }

func (r Retention) check() error {
	if r.Last < 0 || r.Daily < 0 || r.Weekly < 0 || r.Monthly < 0 {
		return fmt.Errorf("backup: Retention %+v has a negative number", r)
	}
	return nil
}

// excess returns the backups that no rule keeps, without those whose time is in the future.
func (r Retention) excess(backups []Info, now time.Time) (excess []Info) {
	sorted := slices.DeleteFunc(slices.Clone(backups), func(b Info) bool { return b.Ahead(now) })
	if r.all() || len(sorted) == 0 {
		return nil
	}
	slices.SortStableFunc(sorted, func(a, b Info) int { return b.TakenAt.Compare(a.TakenAt) })
	keep := make(map[string]bool)
	for _, b := range sorted[:min(max(r.Last, 1), len(sorted))] {
		keep[b.Name] = true
	}
	newestOfEach(sorted, r.Daily, keep, func(t time.Time) string { return t.Format(time.DateOnly) })
	newestOfEach(sorted, r.Weekly, keep, func(t time.Time) string {
		year, week := t.ISOWeek()
		return fmt.Sprint(year, week)
	})
	newestOfEach(sorted, r.Monthly, keep, func(t time.Time) string { return t.Format("2006-01") })
	for _, b := range sorted {
		if !keep[b.Name] {
			excess = append(excess, b)
		}
	}
	return excess
}

// newestOfEach keeps the first backup of each of the first n periods of time.
func newestOfEach(sorted []Info, n int, keep map[string]bool, span func(time.Time) string) {
	seen := make(map[string]bool)
	for _, b := range sorted {
		s := span(b.TakenAt.UTC())
		if seen[s] {
			continue
		}
		if len(seen) == n {
			return
		}
		seen[s], keep[b.Name] = true, true
	}
}

// abandonedAfter is the age at which an archive without a receipt no longer counts as being
// written.
const abandonedAfter = 24 * time.Hour

// Prune deletes the backups of a tenant that r does not keep, and files of backups that failed or
// were killed more than a day ago. It returns their names, which are valid with an error too. It
// deletes a receipt before its archive, so that no listed backup lacks its archive. It can be run
// again. Dumps and files of other registries in the same store stay.
func (s *Service) Prune(ctx context.Context, tenantID int64, r Retention) ([]string, error) {
	if s.cfg.Store == nil {
		return nil, errNoStore
	}
	if tenantID <= 0 {
		return nil, fmt.Errorf("backup: tenant id %d is not positive", tenantID)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	pruned, warnings, err := s.prune(ctx, tenantID, r)
	s.warnClock(ctx, warnings...)
	if err != nil {
		err = fmt.Errorf("prune backups of tenant %d: %w", tenantID, err)
	}
	return pruned, err
}

// prune is Prune except for the archives in stay. It returns warnings about clocks instead of
// logging them.
func (s *Service) prune(
	ctx context.Context, tenantID int64, r Retention, stay ...string,
) (pruned, warnings []string, err error) {
	return s.pruneFor(ctx, tenantID, r, false, stay...)
}

// pruneFor is prune. If another is true, it makes room for a backup that does not exist yet:
// retention counts that one as the newest.
func (s *Service) pruneFor(
	ctx context.Context, tenantID int64, r Retention, another bool, stay ...string,
) (pruned, warnings []string, err error) {
	now, err := s.readClocks(ctx)
	if err != nil {
		return nil, nil, err
	}
	if w := now.warning(); w != "" {
		warnings = append(warnings, w)
	}
	var backups []Info
	for info, err := range s.Backups(ctx, tenantID) {
		if err != nil {
			return nil, warnings, err // retention needs all receipts
		}
		backups = append(backups, info)
		if info.Ahead(now.earlier()) {
			warnings = append(warnings, fmt.Sprintf("backup %q has a time in the future, %s: retention ignores it",
				info.Name, info.TakenAt.UTC().Format(time.RFC3339)))
		}
	}
	if another {
		stay = append(stay, newestOf(backups, now.earlier()))
		backups = append(backups, Info{TakenAt: now.earlier()})
	}
	var excess []string
	for _, b := range r.excess(backups, now.earlier()) {
		if b.Name != "" && !slices.Contains(stay, b.Name) {
			excess = append(excess, b.Name)
		}
	}
	pruned, err = s.removeFiles(ctx, excess)
	if err != nil || !now.agree() {
		return pruned, warnings, err
	}
	abandoned, err := s.removeAbandoned(ctx, tenantID, now.earlier())
	return append(pruned, abandoned...), warnings, err
}

// removeAbandoned deletes what killed processes have left: unfinished files, and archives without a
// receipt. now must not be later than the time of either clock.
func (s *Service) removeAbandoned(ctx context.Context, tenantID int64, now time.Time) (removed []string, err error) {
	if removed, err = s.sweepStore(ctx, tenantID, now.Add(-abandonedAfter)); err != nil {
		return removed, err
	}
	names, err := s.leftovers(ctx, tenantID, now)
	if err != nil {
		return removed, err
	}
	archives, err := s.removeFiles(ctx, names)
	return append(removed, archives...), err
}

// removeFiles deletes files until one fails. It returns the deleted ones.
func (s *Service) removeFiles(ctx context.Context, names []string) (removed []string, err error) {
	for _, name := range names {
		if err := s.remove(ctx, name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}

// newestOf returns the name of the newest backup whose time is not in the future, or an empty
// string.
func newestOf(backups []Info, now time.Time) string {
	var newest Info
	for _, b := range backups {
		if !b.Ahead(now) && b.TakenAt.After(newest.TakenAt) {
			newest = b
		}
	}
	return newest.Name
}

// leftovers returns archives that have no receipt and are no longer being written: they are old by
// the store's clock and by the time in their names.
func (s *Service) leftovers(ctx context.Context, tenantID int64, now time.Time) (names []string, err error) {
	receipts := make(map[string]bool)
	var archives []Object
	prefix, err := s.prefixOf(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	for o, err := range s.cfg.Store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if name, is := strings.CutSuffix(o.Name, receiptSuffix); is {
			receipts[name] = true
		} else if isArchive(o.Name) {
			archives = append(archives, o)
		}
	}
	for _, o := range archives {
		if taken, named := timeOf(o.Name); named && now.Sub(taken) <= abandonedAfter {
			continue
		}
		if !receipts[o.Name] && now.Sub(o.ModTime) > abandonedAfter {
			names = append(names, o.Name)
		}
	}
	return names, nil
}

func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.age")
}

// sweepStore deletes a tenant's unfinished files that were last written to before a time, if the
// store is a [Sweeper].
func (s *Service) sweepStore(ctx context.Context, tenantID int64, before time.Time) ([]string, error) {
	sweeper, ok := s.cfg.Store.(Sweeper)
	if !ok {
		return nil, nil
	}
	prefix, err := s.prefixOf(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	return sweeper.Sweep(ctx, prefix, before)
}

// remove deletes an archive's receipt and then the archive.
func (s *Service) remove(ctx context.Context, name string) error {
	for _, name := range []string{receiptOf(name), name} {
		if err := s.cfg.Store.Delete(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
