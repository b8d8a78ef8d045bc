package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// abandoned is after how long an archive without a receipt is no longer one that is being made.
const abandoned = 24 * time.Hour

// Prune removes the backups of a tenant that r does not keep, and what was left of backups that failed or were killed more than a day ago, and
// returns their names; those are valid with an error too. The receipt goes first, so that nothing is listed that is not there. It can be run again.
// Dumps stay: they are somebody's to hand over. Files of another registry in the same store are not looked at.
func (s *Service) Prune(ctx context.Context, tenantID int64, r Retention) ([]string, error) {
	if s.cfg.Store == nil {
		return nil, errNoStore
	}
	if tenantID <= 0 {
		return nil, fmt.Errorf("backup: %d is no tenant's id", tenantID)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return s.prune(ctx, tenantID, r, "")
}

// prune is Prune, but for one archive that stays.
func (s *Service) prune(ctx context.Context, tenantID int64, r Retention, stays string) (pruned []string, err error) {
	fail := func(err error) ([]string, error) {
		return pruned, fmt.Errorf("prune backups of tenant %d: %w", tenantID, err)
	}
	var backups []Info
	for info, err := range s.Backups(ctx, tenantID) {
		if err != nil {
			return fail(err) // what is not known is not judged
		}
		backups = append(backups, info)
	}
	for _, b := range r.excess(backups) {
		if b.Name == stays {
			continue
		}
		if err := s.remove(ctx, b.Name); err != nil {
			return fail(err)
		}
		pruned = append(pruned, b.Name)
	}
	swept, err := s.sweepStore(ctx, tenantID, time.Now().Add(-abandoned))
	pruned = append(pruned, swept...)
	if err != nil {
		return fail(err)
	}
	left, err := s.leftovers(ctx, tenantID)
	if err != nil {
		return fail(err)
	}
	for _, name := range left {
		if err := s.remove(ctx, name); err != nil {
			return fail(err)
		}
		pruned = append(pruned, name)
	}
	return pruned, nil
}

// leftovers are archives that have no receipt and that nobody is writing any more.
func (s *Service) leftovers(ctx context.Context, tenantID int64) (names []string, err error) {
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
		if !receipts[o.Name] && time.Since(o.ModTime) > abandoned {
			names = append(names, o.Name)
		}
	}
	return names, nil
}

func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.age")
}

// sweepStore removes the beginnings of a tenant's files that nobody has written to since then, where the store has such.
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

// remove deletes an archive, its receipt first.
func (s *Service) remove(ctx context.Context, name string) error {
	for _, name := range []string{receiptOf(name), name} {
		if err := s.cfg.Store.Delete(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
