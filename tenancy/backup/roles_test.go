package backup_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// The owner could not work with objects of another role. So with another role nothing is built.
func TestOnlyTheOwnerBuildsASchema(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	f.create(t, "north")
	backups := f.service(t, backup.Config{})
	info, err := backups.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	s, err := backup.New(backup.Config{
		Pool: f.pg.Pool, Tenants: f.tenants, Migrations: f.runner,
		Store: f.dir,
	})
	require.NoError(t, err)
	schemas := func() (n int) {
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace").Scan(&n))
		return n
	}
	before := schemas()
	_, verify := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	_, restore := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	_, clone := s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy"})
	_, structure := s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "copy", Data: backup.CloneStructure})
	for operation, err := range map[string]error{
		"verify": verify, "restore": restore, "clone": clone,
		"structure": structure,
	} {
		var wrong *schemactx.LoginError
		require.ErrorAs(t, err, &wrong, operation)
		assert.Equal(t, f.roles.Owner(), wrong.Want, operation)
	}
	assert.Equal(t, before, schemas(), "a schema is left")
	assert.NoError(t, verifyErr(backups.Verify(t.Context(), info.Name, backup.RestoreOptions{})))
}

func verifyErr(_ backup.VerifyResult, err error) error { return err }
