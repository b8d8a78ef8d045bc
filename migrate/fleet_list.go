package migrate

import (
	"context"
	"iter"
	"slices"
)

// List goes over the schemas of a fleet, in the order in which they are to be migrated. It is
// called several times in a run, so that schemas made meanwhile are found. An error that it yields
// ends the run; a name that it yields twice counts once.
//
// It must not keep a connection of the runner's pool while it yields. The method Schemas of package
// tenancy's Manager is one.
type List func(ctx context.Context) iter.Seq2[string, error]

// Schemas returns the list of names.
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
