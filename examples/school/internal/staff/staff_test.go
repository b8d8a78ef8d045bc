package staff_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

type fixture struct {
	*staff.Staff
	owner *pgxpool.Pool

	mu     sync.Mutex
	failed int // calls of Config.LoginFailed
}

func setup(t *testing.T) *fixture {
	t.Helper()
	env, err := tenancytest.Open(t.Context(), pgtest.New(t).URL, tenancytest.Config{Shared: []migrate.Source{
		{Name: "tenancy", FS: tenancy.Migrations()},
		{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase},
		{Name: "staff", FS: staff.Migrations(), Base: staff.Base},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, env.Close(context.Background())) })
	log, err := audit.Open(t.Context(), env.Owner, audit.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close(context.Background())) })
	signer, err := tenanttoken.NewSigner(bytes.Repeat([]byte{1}, tenanttoken.MinKeyLen))
	require.NoError(t, err)
	f := &fixture{owner: env.Owner}
	f.Staff, err = staff.New(staff.Config{
		Owner: env.Owner, Key: bytes.Repeat([]byte{2}, 32), Signer: signer, Log: log,
		LoginFailed: func(context.Context) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.failed++
		},
	})
	require.NoError(t, err)
	return f
}

// member returns a member with a password and a secret of its own.
func member(n int) staff.Member {
	return staff.Member{
		Email: "ada@example.com", Name: "Ada", Password: fmt.Sprintf("the password %d", n),
		Secret: bytes.Repeat([]byte{byte(n)}, 20),
	}
}

func (f *fixture) logIn(t *testing.T, m staff.Member) error {
	t.Helper()
	_, _, err := f.LogIn(tenancy.NewPublicContext(t.Context()), staff.Credentials{
		Email: m.Email, Password: m.Password, Code: staff.Code(m.Secret, time.Now()), Caller: "192.0.2.1",
	})
	return err
}

// Of several processes that hire the same address, one succeeds, and its password and its secret
// are valid.
func TestOneOfSeveralConcurrentHiresSucceeds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	errs := make([]error, 6)
	var hires sync.WaitGroup
	for i := range errs {
		hires.Go(func() { errs[i] = f.Hire(t.Context(), member(i)) })
	}
	hires.Wait()
	hired := 0
	for i, err := range errs {
		if err != nil {
			assert.ErrorIs(t, err, platformuser.ErrEmailTaken)
			continue
		}
		hired++
		assert.NoError(t, f.logIn(t, member(i)), "the password that hire %d prints", i)
	}
	assert.Equal(t, 1, hired, "hires succeed")
}

// A login that the database prevents is not one with a wrong password.
func TestALoginThatFailsForTheDatabaseIsNotRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := member(1)
	require.NoError(t, f.Hire(t.Context(), m))
	_, err := f.owner.Exec(t.Context(), `
		create function public.fail() returns trigger language plpgsql as
			$$ begin raise exception 'down' using errcode = '57P01'; end $$;
		create trigger fail before update on public.staff_codes execute function public.fail()`)
	require.NoError(t, err)
	err = f.logIn(t, m)
	require.ErrorContains(t, err, "down")
	assert.NotErrorIs(t, err, staff.ErrRefused)
	assert.Zero(t, f.failed, "counted as failed logins")
	_, err = f.owner.Exec(t.Context(), "drop trigger fail on public.staff_codes")
	require.NoError(t, err)
	require.NoError(t, f.logIn(t, m))
	require.ErrorIs(t, f.logIn(t, m), staff.ErrRefused, "with a code that was used before")
	assert.Equal(t, 1, f.failed, "counted as failed logins")
}
