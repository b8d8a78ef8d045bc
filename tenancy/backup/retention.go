package backup

import (
	"fmt"
	"slices"
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
