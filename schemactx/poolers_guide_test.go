package schemactx_test

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/schemactx"
)

var iniBlock = regexp.MustCompile("(?s)```ini\n(.*?)```")

// PgBouncer with the settings of POOLERS.md isolates tenants, with one server connection for all
// clients.
func TestTheSettingsOfTheGuideToPoolersIsolateTenants(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("POOLERS.md")
	require.NoError(t, err)
	ini := iniBlock.FindSubmatch(guide)
	require.NotNil(t, ini)
	settings := strings.Split(strings.TrimSpace(string(ini[1])), "\n")
	f := setup(t)
	url := poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1, settings...)
	db, err := schemactx.New(openPool(t, url, 4), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)

	var clients sync.WaitGroup
	for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a", "tenant_b"} {
		clients.Go(func() {
			for range 20 {
				var body, left string
				err := db.QueryRow(in(t, schema), "select body, coalesce(current_setting('app.left', true), '') from notes").
					Scan(&body, &left)
				assert.NoError(t, err)
				assert.Equal(t, schema, body)
				assert.Empty(t, left, "a setting that another transaction has left on the connection")
				_, err = db.Exec(in(t, schema), "do $$ begin perform set_config('app.left', current_schema(), false); end $$")
				assert.NoError(t, err)
			}
		})
	}
	clients.Wait()
}
