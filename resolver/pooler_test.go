package resolver_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/resolver"
)

// PgBouncer takes LISTEN, on whichever of its connections is free, and drops what arrives there.
func TestADirectoryThroughAPoolerSaysThatItIsNotListening(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.com")
	for _, conns := range []int{1, 3} {
		through := poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), "r"), conns)
		_, err := resolver.NewDirectory(t.Context(), f.dbAt(t, through, nil), resolver.Config{})
		require.ErrorIs(t, err, resolver.ErrNotListening, "%d connections", conns)

		// With a connection to the server itself for what listens, the rest may go through the
		// pooler.
		direct := resolver.Config{Connect: func(ctx context.Context) (*pgx.Conn, error) {
			return pgx.Connect(ctx, f.pg.URLAs(f.roles.Runtime(), "r"))
		}}
		d := open(t, f.dbAt(t, through, nil), direct)
		assert.True(t, d.Status().Connected)
		assert.Zero(t, d.Status().Ignored)
	}
}

// A pooler in session mode gives the client a connection of its own.
func TestADirectoryThroughAPoolerInSessionModeListens(t *testing.T) {
	t.Parallel()
	f := setup(t)
	through := poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), "r"), 5, "pool_mode = session")
	d := open(t, f.dbAt(t, through, nil), resolver.Config{})
	f.tenant(t, "later", "later.example.com")
	eventually(t, "the tenant", func() bool {
		_, err := d.Resolve(t.Context(), "later.example.com")
		return err == nil
	})
}

// Where the directory cannot notify itself, for want of connections, it works, and says that it
// does not know.
func TestADirectoryThatCannotNotifyItselfSaysSo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	logged := &lockedBuffer{}
	url := f.pg.URLAs(f.roles.Runtime(), "r")
	opened := 0
	d := open(t, f.db(t, nil), resolver.Config{
		Logger: slog.New(slog.NewTextHandler(logged, nil)),
		Connect: func(ctx context.Context) (*pgx.Conn, error) {
			if opened++; opened > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return pgx.Connect(ctx, url)
		},
	})
	assert.True(t, d.Status().Connected)
	assert.Contains(t, logged.String(), "cannot tell whether notifications of the registry arrive")
}
