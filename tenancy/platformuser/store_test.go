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
	u, err := users.Create(t.Context(), platformuser.CreateParams{Email: email, Name: "Ada", PasswordHash: platformuser.NewPasswordHash(hash)})
	require.NoError(t, err)
	return u
}

func TestUsersAreFoundByTheirAddressInAnyCase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "Ada.L@Example.COM")
	if ada.Email != "ada.l@example.com" || ada.Name != "Ada" || ada.Disabled() || ada.Version != 1 || ada.CreatedAt.IsZero() {
		t.Errorf("created %+v", ada)
	}
	found, err := users.ByEmail(t.Context(), "ADA.l@example.com")
	require.NoError(t, err)
	if found.ID != ada.ID || found.PasswordHash.Reveal() != hash {
		t.Errorf("found %+v", found)
	}
	_, err = users.Create(t.Context(), platformuser.CreateParams{Email: "ADA.L@example.com", Name: "Other"})
	assert.ErrorIs(t, err, platformuser.ErrEmailTaken)
	_, err = users.ByEmail(t.Context(), "nobody@example.com")
	assert.ErrorIs(t, err, platformuser.ErrNotFound)
	_, err = users.ByID(t.Context(), 999)
	assert.ErrorIs(t, err, platformuser.ErrNotFound)

	// Written by hand, in capitals.
	_, err = f.owner.Exec(t.Context(), "insert into platform_users (email, name, password_hash) values ('Bob@Example.com', 'Bob', '')")
	require.NoError(t, err)
	bob, err := users.ByEmail(t.Context(), "bob@example.com")
	require.NoError(t, err)
	if !bob.PasswordHash.Empty() {
		t.Error("bob has a hash")
	}
	_, err = platformuser.New(f.db).ByID(t.Context(), ada.ID)
	if err == nil || errors.Is(err, platformuser.ErrNotFound) {
		t.Errorf("the runtime login reads users: %v", err)
	}
}

func TestUsersRefuseBadInput(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "ada@example.com")
	for _, email := range []string{
		"", "a", "@example.com", "a@", "a@b@c.com", "a b@example.com", "Ada <ada@example.com>", "<ada@example.com>", `"a b"@example.com`,
		"a@127.0.0.1", "a@[127.0.0.1]", "a@*.com", "a@example..com", "a\n@example.com", "a@example.com\x00", "ä@example.com", "a@example.com (x)",
		" a@example.com", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a.", 130) + "com", "a@exa mple.com", "a,b@example.com",
	} {
		_, err := users.Create(t.Context(), platformuser.CreateParams{Email: email, Name: "X"})
		expectField(t, err, "email")
		_, err = users.Update(t.Context(), ada, platformuser.Changes{Email: &email})
		expectField(t, err, "email")
		if t.Failed() {
			t.Fatalf("email %q", email)
		}
	}
	for _, bad := range []string{"a\nb", "ü", strings.Repeat("x", 1025)} {
		_, err := users.Create(t.Context(), platformuser.CreateParams{Email: "x@example.com", Name: "X", PasswordHash: platformuser.NewPasswordHash(bad)})
		expectField(t, err, "passwordhash")
		if strings.Contains(err.Error(), bad) {
			t.Errorf("the error shows the hash: %v", err)
		}
	}
	_, err := users.Create(t.Context(), platformuser.CreateParams{Email: "x@example.com"})
	expectField(t, err, "name")
	_, err = users.List(t.Context(), platformuser.Filter{Limit: -1})
	expectField(t, err, "limit")
	page, err := users.List(t.Context(), platformuser.Filter{})
	require.NoError(t, err)
	if len(page.Users) != 1 || page.Users[0].Version != 1 {
		t.Errorf("after refusals: %+v", page)
	}
}

func TestInternationalDomainsOfAddressesAreOne(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"A@BÜCHER.example", "a@xn--bcher-kva.example"} {
		got, err := platformuser.NormalizeEmail(email)
		if err != nil || got != "a@xn--bcher-kva.example" {
			t.Errorf("%s is %s, %v", email, got, err)
		}
	}
}

func TestUsersAreUpdatedByWhoHasReadThem(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	ada := f.user(t, users, "ada@example.com")
	f.user(t, users, "bob@example.com")
	email, name, empty := "Countess@Example.com", "Countess", platformuser.PasswordHash{}
	got, err := users.Update(t.Context(), ada, platformuser.Changes{Email: &email, Name: &name})
	require.NoError(t, err)
	if got.Email != "countess@example.com" || got.Name != name || got.PasswordHash.Reveal() != hash || got.Version != ada.Version+1 {
		t.Errorf("updated %+v", got)
	}
	_, err = users.Update(t.Context(), ada, platformuser.Changes{PasswordHash: &empty})
	var conflict *platformuser.ConflictError
	if !errors.As(err, &conflict) || conflict.Current.Name != name || !errors.Is(err, tenancy.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	bobs := "BOB@example.com"
	_, err = users.Update(t.Context(), got, platformuser.Changes{Email: &bobs})
	assert.ErrorIs(t, err, platformuser.ErrEmailTaken)
	got, err = users.Update(t.Context(), got, platformuser.Changes{PasswordHash: &empty})
	require.NoError(t, err)
	if !got.PasswordHash.Empty() {
		t.Error("the hash was not taken away")
	}
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
	if !first.Disabled() || !again.DisabledAt.Equal(first.DisabledAt) || again.Version != first.Version {
		t.Errorf("disabled %+v, again %+v", first, again)
	}
	found, err := users.ByEmail(t.Context(), "ada@example.com")
	require.NoError(t, err)
	if !found.Disabled() || !found.PasswordHash.Empty() || !first.PasswordHash.Empty() {
		t.Errorf("a disabled user is found as %+v", found)
	}
	back, err := users.Enable(t.Context(), ada.ID)
	require.NoError(t, err)
	if back.Disabled() || back.PasswordHash.Reveal() != hash {
		t.Errorf("enabled %+v", back)
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
	if fmt.Sprint(got) != "[Ada0 Ada1 Ada2 Ada3 Ada4 Ada5 Ada6]" {
		t.Errorf("pages: %v", got)
	}
}

func TestOneOfManyUsersOfAnAddressIsCreated(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	var wg sync.WaitGroup
	var created atomic.Int32
	for range 8 {
		wg.Go(func() {
			_, err := users.Create(t.Context(), platformuser.CreateParams{Email: "a@example.com", Name: "A"})
			switch {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, platformuser.ErrEmailTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Errorf("%d created", created.Load())
	}
}

func TestPasswordHashesDoNotShow(t *testing.T) {
	t.Parallel()
	u := platformuser.User{Email: "a@example.com", PasswordHash: platformuser.NewPasswordHash(hash)}
	params := platformuser.CreateParams{PasswordHash: u.PasswordHash}
	hidden := struct{ u platformuser.User }{u} // fmt asks no methods of what is not exported
	var out bytes.Buffer
	for _, v := range []any{u, &u, params, hidden, u.PasswordHash, &u.PasswordHash, []platformuser.User{u}, map[string]any{"u": u}} {
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
		if i := strings.Index(out.String(), form); i >= 0 {
			t.Errorf("the hash shows: %s", out.String()[max(0, i-200):i])
		}
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing says that there is a hash")
	}
}

// What the server says of a row that it refuses holds the row.
func TestErrorsOfUsersDoNotHoldTheHash(t *testing.T) {
	t.Parallel()
	f := setup(t)
	users := platformuser.New(f.owner)
	_, err := f.owner.Exec(t.Context(), "alter table platform_users add constraint never check (name <> 'never')")
	require.NoError(t, err)
	_, err = users.Create(t.Context(), platformuser.CreateParams{Email: "a@example.com", Name: "never", PasswordHash: platformuser.NewPasswordHash(hash)})
	if err == nil {
		t.Fatal("not refused")
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(fmt.Sprintf("%+v", err), "SECRET") {
			t.Errorf("%T holds the hash", err)
		}
		if encoded, _ := json.Marshal(err); bytes.Contains(encoded, []byte("SECRET")) {
			t.Errorf("%T holds the hash: %s", err, encoded)
		}
	}
}
