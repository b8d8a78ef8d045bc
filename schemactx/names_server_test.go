package schemactx_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// What PostgreSQL itself makes of names. names_test.go compares with the rule as written.

// awkwardNames are those at which quoting and paths have failed elsewhere.
var awkwardNames = []string{
	"tenant_1", "select", "user", "table", "current_user", "nil", "null", "true", "_", "a1", "tenant__1", strings.Repeat("x", 63),
	strings.Repeat("x", 64), "", "public", "information_schema", "pg_catalog", "pg_temp", "none", "default", "$user", "Acme", "acme,public",
	`a"b`, `"`, `""`, `a\`, `a\"b`, "a'b", "a;b", "a--b", "a/*b", "a b", " a", "a\n", "a\x00b", "é", "İ", "ſ", "K", "😀", "a\u200b",
	"a\u0301", "ａ", "\xff", "a\xc0\x80", "U&\"x\"", "E'x'", "$1", "?", "%s", "*", ".", "a.b",
}

// serverNames asks a server what it reads. One connection serves one input at a time.
type serverNames struct {
	mu   sync.Mutex
	conn *pgx.Conn
	role func(schema string) string
}

func newServerNames(t testing.TB) *serverNames {
	t.Helper()
	pg := pgtest.New(t)
	conn, err := pgx.Connect(t.Context(), pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	if err != nil {
		t.Fatal(err)
	}
	return &serverNames{conn: conn, role: roles.Tenant}
}

// validName checks that a name which ValidateName accepts is, quoted or not as SQL allows,
// exactly that one identifier: of a schema, of a path of one, and of the role of a scope.
func (s *serverNames) validName(t *testing.T, name string) {
	t.Helper()
	if schemactx.ValidateName(name) != nil {
		return
	}
	quoted, err := schemactx.QuoteName(name)
	check(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := t.Context()
	tx, err := s.conn.Begin(ctx)
	check(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, "create schema "+quoted)
	check(t, err)
	var there bool
	var path []string
	check(t, tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1::text collate \"C\")", name).Scan(&there))
	_, err = tx.Exec(ctx, "select set_config('search_path', $1, true)", quoted+", pg_temp")
	check(t, err)
	check(t, tx.QueryRow(ctx, "select current_schemas(false)").Scan(&path))
	if !there || len(path) != 1 || path[0] != name {
		t.Errorf("valid name %q: made as such: %t, path %q", name, there, path)
	}
	var ident []string
	check(t, tx.QueryRow(ctx, "select parse_ident($1, true)", quoted).Scan(&ident))
	if len(ident) != 1 || ident[0] != name {
		t.Errorf("valid name %q is read as %q", name, ident)
	}
	role, err := schemactx.QuoteName(s.role(name))
	check(t, err)
	_, err = tx.Exec(ctx, "create role "+role)
	check(t, err)
	_, err = tx.Exec(ctx, "select set_config('role', $1, true)", s.role(name))
	check(t, err)
	var user string
	check(t, tx.QueryRow(ctx, "select current_user").Scan(&user))
	if user != s.role(name) {
		t.Errorf("the role of valid name %q is %q, want %q", name, user, s.role(name))
	}
}

// quotedName checks that the server reads what QuoteName made of any parts as those parts.
func (s *serverNames) quotedName(t *testing.T, a, b string) {
	t.Helper()
	quoted, err := schemactx.QuoteName(a, b)
	var nameErr *schemactx.NameError
	if err != nil {
		if !errors.As(err, &nameErr) {
			t.Errorf("QuoteName(%q, %q) = %v, want a NameError", a, b, err)
		}
		return
	}
	if !utf8.ValidString(quoted) {
		return // no text for a server; ValidateName refuses it, and so does PostgreSQL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ident []string
	check(t, s.conn.QueryRow(t.Context(), "select parse_ident($1, true)", quoted).Scan(&ident))
	if len(ident) != 2 || ident[0] != a || ident[1] != b {
		t.Errorf("QuoteName(%q, %q) = %s, which PostgreSQL reads as %q", a, b, quoted, ident)
	}
	// As a column's name, through PostgreSQL's own parser: the one that counts.
	column, err := schemactx.QuoteName(b)
	check(t, err)
	rows, err := s.conn.Query(t.Context(), "select 1 as "+column, pgx.QueryExecModeExec)
	check(t, err)
	got := rows.FieldDescriptions()[0].Name
	rows.Close()
	check(t, rows.Err())
	if got != b {
		t.Errorf("QuoteName(%q) = %s, which names a column %q", b, column, got)
	}
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
