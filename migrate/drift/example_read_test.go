package drift_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/migrate/drift"
)

// A fingerprint says whether two schemas are equal, without any migrations: before and after a
// restore, or on two servers of the same version.
func ExampleRead() {
	ctx := context.Background()
	db, _, done := driftSchools(ctx)
	defer done()

	hashes := make(map[string]bool)
	for structure, err := range drift.Read(ctx, db.Pool, drift.ReadOptions{}, "school_a", "school_b") {
		noError(err)
		hashes[structure.Hash()] = true
		for _, o := range structure.Objects {
			if o.Kind == drift.ObjectColumn && o.Name == "fee" {
				fmt.Printf("%s: %s, %s\n", structure.Schema, o, o.Definition())
			}
		}
	}
	fmt.Println("fingerprints:", len(hashes))

	// Output:
	// school_a: table students: column fee, type: numeric(12,2)
	// school_b: table students: column fee, type: numeric(12,2)
	// fingerprints: 1
}
