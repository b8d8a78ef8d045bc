package migrate

import (
	"context"
	"iter"
	"slices"
)

// List yields the names of the schemas of a fleet, in the order in which to migrate them. A run
// calls it several times, so that it finds schemas that were created meanwhile. If it yields an
// error, the run ends. A name that it yields twice counts once.
//
// It must not hold a connection of the runner's pool while it yields. The method Schemas of package
// tenancy's Manager is a List.
type List func(ctx context.Context) iter.Seq2[string, error]

// Schemas returns a List of the names.
func Schemas(names ...string) List {
	names = slices.Clone(names)
	return func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}
