package schemactx_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// This file tests how PostgreSQL itself reads names; names_test.go tests the documented rule.

// awkwardNames are names that often cause errors in quoting and search paths.
var awkwardNames = []string{
	"tenant_1",
	"select",
	"user",
	"table",
	"current_user",
	"nil",
	"null",
	"true",
	"_",
	"a1",
	"tenant__1",
	strings.Repeat("x", 63),
	strings.Repeat(
		"x",
		64,
	),
	"",
	"public",
	"information_schema",
	"pg_catalog",
	"pg_temp",
	"none",
	"default",
	"$user",
	"Acme",
	"acme,public",
	`a"b`,
	`"`,
	`""`,
	`a\`,
	`a\"b`,
	"a'b",
	"a;b",
	"a--b",
	"a/*b",
	"a b",
	" a",
	"a\n",
	"a\x00b",
	"é",
	"İ",
	"ſ",
	"K",
	"😀",
	"a\u200b",
	"a\u0301",
	"ａ",
	"\xff",
	"a\xc0\x80",
	"U&\"x\"",
	"E'x'",
	"$1",
	"?",
	"%s",
	"*",
	".",
	"a.b",
}

// serverNames asks a server how it reads names. One connection serves one input at a time.
type serverNames struct {
	mu   sync.Mutex
	conn *pgx.Conn
	role func(schema string) string
}

func newServerNames(t testing.TB) *serverNames {
	t.Helper()
	pg := pgtest.New(t)
	conn, err := pgx.Connect(t.Context(), pg.URL)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	return &serverNames{conn: conn, role: roles.Tenant}
}

// validName checks that PostgreSQL reads a name that ValidateName accepts as exactly one
// identifier, quoted or unquoted as SQL allows: as a schema, as a search path, and in the role of a
// scope.
func (s *serverNames) validName(t *testing.T, name string) {
	t.Helper()
	if schemactx.ValidateName(name) != nil {
		return
	}
	quoted, err := schemactx.QuoteName(name)
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := t.Context()
	tx, err := s.conn.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, "create schema "+quoted)
	require.NoError(t, err)
	var there bool
	var path []string
	require.NoError(
		t,
		tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1::text collate \"C\")", name).
			Scan(&there),
	)
	_, err = tx.Exec(ctx, "select set_config('search_path', $1, true)", quoted+", pg_temp")
	require.NoError(t, err)
	require.NoError(t, tx.QueryRow(ctx, "select current_schemas(false)").Scan(&path))
	if assert.True(t, there, "valid name %q: made as such: %t, path %q", name, there, path) &&
		assert.Len(t, path, 1, "valid name %q: made as such: %t, path", name, there) {
		assert.Equal(t, name, path[0], "valid name %q: made as such: %t, path", name, there)
	}
	var ident []string
	require.NoError(t, tx.QueryRow(ctx, "select parse_ident($1, true)", quoted).Scan(&ident))
	if assert.Len(t, ident, 1, "valid name %q is read as %q", name, ident) {
		assert.Equal(t, name, ident[0], "valid name %q is read as %q", name, ident)
	}
	role, err := schemactx.QuoteName(s.role(name))
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "create role "+role)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "select set_config('role', $1, true)", s.role(name))
	require.NoError(t, err)
	var user string
	require.NoError(t, tx.QueryRow(ctx, "select current_user").Scan(&user))
	assert.Equal(t, s.role(name), user, "the role of valid name %q", name)
}

// quotedName checks that the server reads a result of QuoteName as the same parts.
func (s *serverNames) quotedName(t *testing.T, a, b string) {
	t.Helper()
	quoted, err := schemactx.QuoteName(a, b)
	var nameErr *schemactx.NameError
	if err != nil {
		assert.ErrorAs(t, err, &nameErr, "QuoteName(%q, %q)", a, b)
		return
	}
	if !utf8.ValidString(quoted) {
		return // not text for a server; ValidateName refuses it, and so does PostgreSQL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ident []string
	require.NoError(t, s.conn.QueryRow(t.Context(), "select parse_ident($1, true)", quoted).Scan(&ident))
	if assert.Len(t, ident, 2, "QuoteName(%q, %q) = %s, which PostgreSQL reads as %q", a, b, quoted, ident) &&
		assert.Equal(t, a, ident[0], "QuoteName(%q, %q) = %s, which PostgreSQL reads as %q", a, b, quoted, ident) {
		assert.Equal(t, b, ident[1], "QuoteName(%q, %q) = %s, which PostgreSQL reads as %q", a, b, quoted, ident)
	}
	// As the name of a column, read by PostgreSQL's own parser, which decides.
	column, err := schemactx.QuoteName(b)
	require.NoError(t, err)
	rows, err := s.conn.Query(t.Context(), "select 1 as "+column, pgx.QueryExecModeExec)
	require.NoError(t, err)
	got := rows.FieldDescriptions()[0].Name
	rows.Close()
	require.NoError(t, rows.Err())
	assert.Equal(t, b, got, "QuoteName(%q) = %s, which names a column %q", b, column, got)
}

func FuzzValidNameOnServer(f *testing.F) {
	s := newServerNames(f)
	for _, name := range awkwardNames {
		f.Add(name)
	}
	f.Fuzz(s.validName)
}

func FuzzQuoteNameOnServer(f *testing.F) {
	s := newServerNames(f)
	for i, name := range awkwardNames {
		f.Add(name, awkwardNames[len(awkwardNames)-1-i])
		f.Add("tenant_1", name)
	}
	f.Fuzz(s.quotedName)
}
