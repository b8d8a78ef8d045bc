package resolver_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
)

// Status.Current is a time up to which all commits are in memory. That holds also while a
// notification is still on the listening connection, and while other loads end.
func TestStatusIsNotAheadOfMemory(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.tenant(t, "a", "a.example.com")
	d := open(t, f.db(t, nil), resolver.Config{
		KeepAlive: 10 * time.Millisecond, MissBurst: 1000, MissInterval: time.Millisecond, MissTimeout: time.Millisecond,
	})
	for i := range 120 {
		name := fmt.Sprintf("School %d", i)
		f.exec(t, "update tenants set name = $2 where id = $1", id, name)
		committed := time.Now()
		for n := 0; !d.Status().Current.After(committed); n++ {
			time.Sleep(50 * time.Microsecond)
			require.LessOrEqual(t, time.Since(committed), time.Minute, "Current has not passed the commit")
			if n%100 == 0 {
				slugOf(t, d, fmt.Sprintf("n%d-%d.example.com", i, n)) // a load for another reason
			}
		}
		found, ok := d.ByID(id)
		require.True(t, ok, "change %d: Current is after the commit, and the change is not in memory", i)
		require.Equal(t, name, found.Name, "change %d: Current is after the commit, and the change is not in memory", i)
	}
}
