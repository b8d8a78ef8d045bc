package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// logBuffer is a log that can be read while the program writes it.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// The program starts on a database with four bad schools: one whose migration fails, one that is
// locked, one that is newer, and one that was edited. It serves the other schools, shows the
// problem to staff, and serves each school again after its repair.
func TestUnmigratableSchoolDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix()
	dir := filepath.Join(tempDir(t), "data")
	args := []string{"--database-url", db.URL, "--data-dir", dir, "--verbose"}
	command := func(words ...string) error {
		return run(t.Context(), append(args[:4:4], words...), io.Discard, io.Discard)
	}
	p, err := start(t, args...)
	require.NoError(t, err)
	require.NoError(t, p.stop())
	schema := make(map[string]string)
	for slug := range strings.FieldsSeq("elm oak") {
		require.NoError(t, command("tenant", "create", "--name", slug, "--subdomain", slug))
	}
	rows, err := db.Pool.Query(t.Context(), "select slug, schema_name from public.tenants where status = 'active'")
	require.NoError(t, err)
	var slug, name string
	_, err = pgx.ForEachRow(rows, []any{&slug, &name}, func() error { schema[slug] = name; return nil })
	require.NoError(t, err)

	for _, slug := range []string{"schoola", "schoolb"} {
		require.NoError(t, command("migrate", "down", "--schema", schema[slug], "--yes"))
	}
	for _, sql := range []string{
		"create index students_name_near on " + schema["schoola"] + ".students (id)", // makes the migration fail
		"insert into " + schema["schoolc"] + ".goose_db_version (version_id, is_applied) values (99, true)",
		"comment on table " + schema["elm"] + ".goose_db_version is null",
	} {
		_, err := db.Pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	var stamp string
	require.NoError(t,
		db.Pool.QueryRow(t.Context(), "select (extract(epoch from tstamp) * 1000000)::bigint::text from "+schema["elm"]+
			".goose_db_version where version_id = 1").Scan(&stamp))
	_, err = db.Pool.Exec(
		t.Context(),
		"comment on table "+schema["elm"]+`.goose_db_version is '{"pgtenant":{"`+stamp+`":{"1":"0123456789abcdef"}}}'`,
	)
	require.NoError(t, err)
	lock, err := db.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), "select pg_advisory_xact_lock(hashtextextended('pgtenant.migrate.' || $1, 0))",
		schema["schoolb"])
	require.NoError(t, err)

	log := &logBuffer{}
	p, err = startLogging(t, log, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.stop()) }()
	k, err := loginKey(dir)
	require.NoError(t, err)
	site := func(slug string) answer { return p.ask(t, "GET", slug+".localhost", "/api/students/", "") }
	for _, slug := range []string{"schoola", "schoolb", "schoolc"} {
		site(slug).expect(t, 503, tenanthttp.ProblemQuarantined, "Being updated")
		p.ask(t, "GET", slug+".localhost", "/", "", "Accept", "text/html").expect(t, 503, "Being updated")
		assert.True(t, log.has("schema="+schema[slug]), "the log does not name %s", slug)
	}
	for _, slug := range []string{"elm", "oak"} { // no login
		site(slug).expect(t, 401)
	}
	p.ask(t, "GET", "localhost", "/", "", "Accept", "text/html").expect(t, 200)
	p.ask(t, "GET", "localhost", "/readyz", "").expect(t, 200)

	cookie := p.logIn(t, k, ada, 0)
	console := func(path string) answer { return p.ask(t, "GET", "localhost", path, "", "Cookie", cookie) }
	console("/admin/").expect(t, 200, "Schools in quarantine", "Ashgrove Academy</a>: <strong>failed", "<strong>newer")
	console("/admin/tenants/").expect(t, 200, "in quarantine: failed", "in quarantine: newer")
	console("/admin/tenants/schoola").expect(t, 200, "In quarantine: failed", "already exists")
	console("/admin/tenants/schoolc").expect(t, 200, "In quarantine: newer")
	console("/admin/tenants/elm").expect(t, 200, "up to date", "1 edited after they were applied")
	console("/admin/migrations").expect(t, 200, "files edited after they were applied: 1")
	p.ask(t, "GET", "localhost", "/metrics", "").expect(t, 200,
		`pgtenant_quarantined_tenants{reason="newer"} 1`, `pgtenant_refused_requests_total{reason="quarantined"}`)

	require.NoError(t, lock.Rollback(t.Context()))
	require.NoError(t, command("migrate", "--schema", schema["schoolb"])) // in another process
	_, err = db.Pool.Exec(
		t.Context(),
		"delete from "+schema["schoolc"]+".goose_db_version where version_id = 99; drop index "+
			schema["schoola"]+".students_name_near",
	)
	require.NoError(t, err)
	p.post(t, "localhost", "/admin/tenants/schoola/migrate", cookie).expect(t, 303)
	site("schoola").expect(t, 200) // without delay
	for _, slug := range []string{"schoolb", "schoolc"} {
		eventually(t, slug+" is served again", func() bool { return site(slug).status == 200 })
	}
	assert.True(t, log.has("tenant left quarantine"), "the log does not name the school that left the quarantine")
	a := console("/admin/").expect(t, 200)
	assert.NotContains(t, a.body, "Schools in quarantine", "the console still shows the quarantine")
}
