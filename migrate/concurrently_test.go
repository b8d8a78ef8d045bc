package migrate_test

import (
	"sync"
	"testing"
)

// Each of them waits for the others, and the one that builds the index must not wait for those. PostgreSQL looks for a deadlock
// when somebody has waited for a second: those who wait have, when the index is built.
func TestRunnersThatBuildAnIndexConcurrentlyDoNotStopEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	files := map[string]string{"00001_a.sql": "create table a (x int);\ninsert into a select generate_series(1, 20000);"}
	_, err := f.runner(t, files).Up(t.Context(), "tenant_1")
	check(t, err)
	files["00002_b.sql"] = "-- +goose NO TRANSACTION\nselect pg_sleep(1.5);\ncreate index concurrently a_x on a (x);"
	var runners sync.WaitGroup
	for range 4 {
		r := f.runner(t, files)
		runners.Go(func() {
			if _, err := r.Up(t.Context(), "tenant_1"); err != nil {
				t.Error(err)
			}
		})
	}
	runners.Wait()
	var valid bool
	f.scan(t, "select indisvalid from pg_index where indexrelid = 'tenant_1.a_x'::regclass", &valid)
	if !valid {
		t.Error("the index is not valid")
	}
}
