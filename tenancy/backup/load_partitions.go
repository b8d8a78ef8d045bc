package backup

import (
	"context"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// makePartitions creates the partitions that were created at run time. It returns a [MismatchError]
// for those that cannot be created, or that differ from the archive.
func (l *loader) makePartitions(ctx context.Context, all []archive.Partition) error {
	if len(all) == 0 {
		return nil
	}
	there := make(map[string]bool)
	for _, p := range l.catalog.partitions {
		there[p.Name] = true
	}
	for _, p := range all {
		if there[p.Name] {
			continue // the current migrations create it
		}
		sql, err := partitionSQL(l.schema, p)
		if err == nil {
			err = l.patient(ctx, sql)
		}
		if err != nil && ctx.Err() == nil && isEvaluation(err) {
			return &MismatchError{[]string{fmt.Sprintf("partition %q of %q cannot be created: %v", p.Name, p.Parent, err)}}
		}
		if err != nil {
			return fmt.Errorf("create partition %q: %w", p.Name, err)
		}
	}
	if err := l.transact(ctx, func(tx pgx.Tx) error { return l.catalog.readPartitions(ctx, tx) }); err != nil {
		return err
	}
	made := make(map[string]archive.Partition)
	for _, p := range l.catalog.partitions {
		made[p.Name] = p.Partition
	}
	var differences []string
	for _, p := range all {
		if m, ok := made[p.Name]; !ok || !reflect.DeepEqual(m, p) {
			differences = append(differences, fmt.Sprintf("partition %q of %q differs from the archive", p.Name, p.Parent))
		}
	}
	if len(differences) > 0 {
		return &MismatchError{differences}
	}
	return l.read(ctx)
}
