package platformuser_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

const hash = "$2a$10$SECRETSECRETSECRET"

func (f *fixture) user(t *testing.T, users *platformuser.Store, email string) platformuser.User {
	t.Helper()
	u, err := users.Create(
		t.Context(),
		platformuser.CreateParams{Email: email, Name: "Ada", PasswordHash: platformuser.NewPasswordHash(hash)},
	)
	require.NoError(t, err)
	return u
}

func TestUsersAreFoundByTheirAddressInAnyCase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "Ada.L@Example.COM")
	if assert.Equal(t, "ada.l@example.com", ada.Email, "created %+v", ada) &&
		assert.Equal(t, "Ada", ada.Name, "created %+v", ada) &&
		assert.False(t, ada.Disabled(), "created %+v", ada) &&
		assert.Equal(t, int64(1), ada.Version, "created %+v", ada) {
		assert.False(t, ada.CreatedAt.IsZero(), "created %+v", ada)
	}
	found, err := users.ByEmail(t.Context(), "ADA.l@example.com")
	require.NoError(t, err)
	if assert.Equal(t, ada.ID, found.ID, "found %+v", found) {
		assert.Equal(t, hash, found.PasswordHash.Reveal(), "found %+v", found)
	}
	_, err = users.Create(t.Context(), platformuser.CreateParams{Email: "ADA.L@example.com", Name: "Other"})
	assert.ErrorIs(t, err, platformuser.ErrEmailTaken)
	_, err = users.ByEmail(t.Context(), "nobody@example.com")
	assert.ErrorIs(t, err, platformuser.ErrNotFound)
	_, err = users.ByID(t.Context(), 999)
	assert.ErrorIs(t, err, platformuser.ErrNotFound)

	// A row that was inserted by hand, with capitals in the address.
	_, err = f.owner.Exec(
		t.Context(),
		"insert into platform_users (email, name, password_hash) values ('Bob@Example.com', 'Bob', '')",
	)
	require.NoError(t, err)
	bob, err := users.ByEmail(t.Context(), "bob@example.com")
	require.NoError(t, err)
	assert.True(t, bob.PasswordHash.Empty(), "bob has a hash")
	_, err = platformuser.New(f.db).ByID(t.Context(), ada.ID)
	assert.Error(t, err, "the runtime login reads users: %v", err)
	assert.NotErrorIs(t, err, platformuser.ErrNotFound, "the runtime login reads users")
}

func TestInvalidInputIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "ada@example.com")
	for _, email := range []string{
		"", "a", "@example.com", "a@", "a@b@c.com", "a b@example.com", "Ada <ada@example.com>", "<ada@example.com>",
		`"a b"@example.com`,
		"a@127.0.0.1", "a@[127.0.0.1]", "a@*.com", "a@example..com", "a\n@example.com", "a@example.com\x00", "ä@example.com",
		"a@example.com (x)",
		" a@example.com", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a.", 130) + "com",
		"a@exa mple.com", "a,b@example.com",
	} {
		_, err := users.Create(t.Context(), platformuser.CreateParams{Email: email, Name: "X"})
		expectField(t, err, "email")
		_, err = users.Update(t.Context(), ada, platformuser.Changes{Email: &email})
		expectField(t, err, "email")
		require.False(t, t.Failed(), "email %q", email)
	}
	for _, bad := range []string{"a\nb", "ü", strings.Repeat("x", 1025)} {
		_, err := users.Create(
			t.Context(),
			platformuser.CreateParams{Email: "x@example.com", Name: "X", PasswordHash: platformuser.NewPasswordHash(bad)},
		)
		expectField(t, err, "password_hash")
		assert.NotContains(t, err.Error(), bad, "the error shows the hash: %v", err)
	}
	_, err := users.Create(t.Context(), platformuser.CreateParams{Email: "x@example.com"})
	expectField(t, err, "name")
	_, err = users.List(t.Context(), platformuser.Filter{Limit: -1})
	expectField(t, err, "limit")
	page, err := users.List(t.Context(), platformuser.Filter{})
	require.NoError(t, err)
	if assert.Len(t, page.Users, 1, "after refusals: %+v", page) {
		assert.Equal(t, int64(1), page.Users[0].Version, "after refusals: %+v", page)
	}
}

func TestInternationalDomainsAreNormalized(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"A@BÜCHER.example", "a@xn--bcher-kva.example"} {
		got, err := platformuser.NormalizeEmail(email)
		assert.NoError(t, err, "%s is %s", email, got)
		assert.Equal(t, "a@xn--bcher-kva.example", got, email)
	}
}

func TestUpdateNeedsTheCurrentVersion(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "ada@example.com")
	f.user(t, users, "bob@example.com")
	email, name, empty := "Countess@Example.com", "Countess", platformuser.PasswordHash{}
	got, err := users.Update(t.Context(), ada, platformuser.Changes{Email: &email, Name: &name})
	require.NoError(t, err)
	if assert.Equal(t, "countess@example.com", got.Email, "updated %+v", got) &&
		assert.Equal(t, name, got.Name, "updated %+v", got) &&
		assert.Equal(t, hash, got.PasswordHash.Reveal(), "updated %+v", got) {
		assert.Equal(t, ada.Version+1, got.Version, "updated %+v", got)
	}
	_, err = users.Update(t.Context(), ada, platformuser.Changes{PasswordHash: &empty})
	var conflict *platformuser.ConflictError
	if assert.ErrorAs(t, err, &conflict, "an old version") &&
		assert.Equal(t, name, conflict.Current.Name, "an old version") {
		assert.ErrorIs(t, err, tenancy.ErrConflict, "an old version")
	}
	bobs := "BOB@example.com"
	_, err = users.Update(t.Context(), got, platformuser.Changes{Email: &bobs})
	assert.ErrorIs(t, err, platformuser.ErrEmailTaken)
	got, err = users.Update(t.Context(), got, platformuser.Changes{PasswordHash: &empty})
	require.NoError(t, err)
	assert.True(t, got.PasswordHash.Empty(), "the hash was not removed")
	require.NoError(t, users.Delete(t.Context(), got.ID))
	assert.ErrorIs(t, users.Delete(t.Context(), got.ID), platformuser.ErrNotFound)
	_, err = users.Update(t.Context(), got, platformuser.Changes{Name: &name})
	assert.ErrorIs(t, err, platformuser.ErrNotFound)
}

func TestADisabledUserHasNoHash(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "ada@example.com")
	first, err := users.Disable(t.Context(), ada.ID)
	require.NoError(t, err)
	again, err := users.Disable(t.Context(), ada.ID)
	require.NoError(t, err)
	if assert.True(t, first.Disabled(), "disabled %+v, again %+v", first, again) &&
		assert.WithinDuration(t, first.DisabledAt, again.DisabledAt, 0, "disabled %+v, again %+v", first, again) {
		assert.Equal(t, first.Version, again.Version, "disabled %+v, again %+v", first, again)
	}
	found, err := users.ByEmail(t.Context(), "ada@example.com")
	require.NoError(t, err)
	assert.True(t, found.Disabled() && found.PasswordHash.Empty() && first.PasswordHash.Empty(),
		"a disabled user is found as %+v", found)
	back, err := users.Enable(t.Context(), ada.ID)
	require.NoError(t, err)
	if assert.False(t, back.Disabled(), "enabled %+v", back) {
		assert.Equal(t, hash, back.PasswordHash.Reveal(), "enabled %+v", back)
	}
	_, err = users.Disable(t.Context(), 999)
	assert.ErrorIs(t, err, platformuser.ErrNotFound)
}

func TestPagesHoldEveryUserOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	for i := range 7 {
		f.user(t, users, fmt.Sprintf("u%d@example.com", i))
	}
	var got []string
	for filter := (platformuser.Filter{Limit: 3}); ; {
		page, err := users.List(t.Context(), filter)
		require.NoError(t, err)
		for _, u := range page.Users {
			got = append(got, u.Name+u.Email[1:2])
		}
		if filter.After = page.Next; page.Next == 0 {
			break
		}
	}
	assert.Equal(t, "[Ada0 Ada1 Ada2 Ada3 Ada4 Ada5 Ada6]", fmt.Sprint(got), "pages: %v", got)
}

func TestConcurrentCreatesOfOneAddress(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	var wg sync.WaitGroup
	var created atomic.Int32
	for range 8 {
		wg.Go(func() {
			_, err := users.Create(t.Context(), platformuser.CreateParams{Email: "a@example.com", Name: "A"})
			if err == nil {
				created.Add(1)
				return
			}
			assert.ErrorIs(t, err, platformuser.ErrEmailTaken)
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), created.Load(), "%d created", created.Load())
}

func TestPasswordHashesDoNotShow(t *testing.T) {
	t.Parallel()
	u := platformuser.User{Email: "a@example.com", PasswordHash: platformuser.NewPasswordHash(hash)}
	params := platformuser.CreateParams{PasswordHash: u.PasswordHash}
	hidden := struct{ u platformuser.User }{u} // fmt calls no methods of unexported fields
	var out bytes.Buffer
	for _, v := range []any{
		u, &u, params, hidden, u.PasswordHash, &u.PasswordHash, []platformuser.User{u}, map[string]any{"u": u},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "v", v, slog.Any("hash", u.PasswordHash))
		}
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(encoded)
	}
	for _, form := range []string{hash, "SECRET", fmt.Sprintf("%x", "SECRET")} {
		assert.NotContains(t, out.String(), form)
	}
	assert.Contains(t, out.String(), "[redacted]", "the text does not show that there is a hash")
}

// The detail of a server error can contain the row.
func TestErrorsDoNotContainTheHash(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	_, err := f.owner.Exec(t.Context(), "alter table platform_users add constraint never check (name <> 'never')")
	require.NoError(t, err)
	_, err = users.Create(
		t.Context(),
		platformuser.CreateParams{Email: "a@example.com", Name: "never", PasswordHash: platformuser.NewPasswordHash(hash)},
	)
	require.Error(t, err, "not refused")
	for ; err != nil; err = errors.Unwrap(err) {
		assert.NotContains(t, fmt.Sprintf("%+v", err), "SECRET", "%T holds the hash", err)
		encoded, _ := json.Marshal(err)
		assert.False(t, bytes.Contains(encoded, []byte("SECRET")), "%T holds the hash: %s", err, encoded)
	}
}
