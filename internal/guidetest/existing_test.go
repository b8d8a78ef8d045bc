package guidetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// existing is the database of the guide's old program, with two customers of two tasks each, and
// both programs.
type existing struct {
	guide guide
	pg    *pgtest.DB
	names *strings.Replacer // of the guide's roles
	web   *pgxpool.Pool     // of the old program
	mover *mover
	pools map[string]*pgxpool.Pool // by login
	site  *httptest.Server         // of the new program, before the old one
}

func setupExisting(t *testing.T) *existing {
	t.Helper()
	e := &existing{guide: read(t, "tenancy/EXISTING.md"), pools: make(map[string]*pgxpool.Pool)}
	var roles schemactx.RoleNames
	e.pg, roles = database(t)
	login := roles.Prefix() + "_web"
	e.names = strings.NewReplacer("app_owner", roles.Owner(), "app_web", login)
	e.exec(t, e.pg.Pool, "create role "+login+" login password 'w'; grant create on schema public to "+login)
	e.web = e.pool(t, login, "w")
	e.exec(t, e.web, e.guide.block(t, "sql", "create table customers"))
	for _, customer := range []string{"north", "south"} {
		e.exec(t, e.web, fmt.Sprintf(`
			insert into customers (slug, name, host) values ('%[1]s', '%[1]s', '%[1]s.example.com');
			insert into projects (customer_id, name) select id, 'roof' from customers where slug = '%[1]s';
			insert into tasks (customer_id, project_id, title) select customer_id, p.id, '%[1]s ' || n
				from projects p join customers c on c.id = customer_id, generate_series(1, 2) n
				where slug = '%[1]s'`, customer))
	}

	owner := e.pool(t, roles.Owner(), "o")
	var err error
	e.mover, err = openMover(owner, e.guide.migrations(t))
	require.NoError(t, err)
	passwords := admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r"}
	require.NoError(t, setUp(t.Context(), e.pg.Pool, passwords, e.mover.tenants))
	e.exec(t, e.web, e.guide.block(t, "sql", "create function refuse_moved"))

	db, err := schemactx.New(e.pool(t, roles.Runtime(), "r"), schemactx.Config{})
	require.NoError(t, err)
	hosts, err := resolver.NewDirectory(t.Context(), db, resolver.Config{RegistrySchema: "registry"})
	require.NoError(t, err)
	t.Cleanup(hosts.Close)
	old := httptest.NewServer(http.HandlerFunc(e.serveOld))
	t.Cleanup(old.Close)
	address, err := url.Parse(old.URL)
	require.NoError(t, err)
	e.site = httptest.NewServer((&server{db}).handler(hosts, address))
	t.Cleanup(e.site.Close)
	return e
}

func (e *existing) pool(t *testing.T, login, password string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), e.pg.URLAs(login, password))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	e.pools[login] = pool
	return pool
}

func (e *existing) exec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), e.names.Replace(sql), pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
}

// serveOld is the old program.
func (e *existing) serveOld(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "private")
	if r.Method == http.MethodPost {
		_, err := e.web.Exec(r.Context(), `insert into tasks (customer_id, project_id, title)
			select id, $2, $3 from customers where host = $1`, r.Host, r.FormValue("project"), r.FormValue("title"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		return
	}
	rows, _ := e.web.Query(r.Context(), `select title from tasks
		where customer_id = (select id from customers where host = $1) order by id`, r.Host)
	titles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "old %q", titles)
}

// ask sends a request for a customer's tasks, or with a title the request for a new one.
func (e *existing) ask(t *testing.T, slug, title string) string {
	t.Helper()
	method, query := http.MethodGet, ""
	if title != "" {
		method = http.MethodPost
		project := map[string]string{"north": "1", "south": "2"}[slug]
		query = "?" + url.Values{"project": {project}, "title": {title}}.Encode()
	}
	r, err := http.NewRequestWithContext(t.Context(), method, e.site.URL+"/tasks"+query, nil)
	require.NoError(t, err)
	r.Host = slug + ".example.com"
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if strings.HasPrefix(string(body), "old") {
		assert.Equal(t, []string{"private"}, response.Header.Values("Cache-Control"))
	}
	return fmt.Sprint(response.StatusCode, " ", strings.TrimSpace(string(body)))
}

// expect waits until the tasks of a customer are these: the directory learns of changes.
func (e *existing) expect(t *testing.T, slug, want string) {
	t.Helper()
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Contains(c, e.ask(t, slug, ""), want)
	}, 20*time.Second, 10*time.Millisecond)
}

func TestTheCodeOfTheGuideToExistingPrograms(t *testing.T) {
	t.Parallel()
	read(t, "tenancy/EXISTING.md").expectCode(t, "existing_program_test.go")
}

// The steps of the guide, for one of two customers: there and back.
func TestACustomerOfAnExistingProgramMovesAndGoesBack(t *testing.T) {
	t.Parallel()
	e := setupExisting(t)
	e.expect(t, "north", `old ["north 1" "north 2"]`)
	assert.Contains(t, e.ask(t, "north", "north 3"), "200")

	north, err := e.mover.move(t.Context(), 1)
	require.NoError(t, err)
	e.expect(t, "north", `200 ["north 1","north 2","north 3"]`)
	e.expect(t, "south", `old ["south 1" "south 2"]`)
	assert.Contains(t, e.ask(t, "north", "new"), "200")
	assert.Contains(t, e.ask(t, "south", "south 3"), "200")
	for _, sql := range []string{
		"insert into tasks (customer_id, project_id, title) values (1, 1, 'late')",
		"update tasks set title = 'late' where id = 1", "delete from projects where id = 1",
	} {
		_, err := e.web.Exec(t.Context(), sql)
		assert.ErrorContains(t, err, "the customer has moved", sql)
	}

	require.NoError(t, e.mover.back(t.Context(), "north", 1))
	e.expect(t, "north", `old ["north 1" "north 2" "north 3" "new"]`)
	assert.Contains(t, e.ask(t, "north", "newer"), "200")
	e.expect(t, "north", `old ["north 1" "north 2" "north 3" "newer" "new"]`)
	e.expect(t, "south", `old ["south 1" "south 2" "south 3"]`)
	_, err = e.mover.move(t.Context(), 1)
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken, "without a drop of %s", north.Schema)
}

// What an open transaction of the old program has written arrives in the new schema.
func TestAMoveWaitsForTransactionsOfTheOldProgram(t *testing.T) {
	t.Parallel()
	e := setupExisting(t)
	tx, err := e.web.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }() // if the test fails
	_, err = tx.Exec(t.Context(), "insert into tasks (customer_id, project_id, title) values (1, 1, 'in flight')")
	require.NoError(t, err)
	moved := make(chan error, 1)
	go func() {
		_, err := e.mover.move(t.Context(), 1)
		moved <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := e.pg.Pool.QueryRow(t.Context(), `select exists (select from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'
			and query like 'update public.customers%')`).Scan(&waits)
		return err == nil && waits
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-moved)
	e.expect(t, "north", `200 ["north 1","north 2","in flight"]`)
}

// A move that failed leaves nothing, and is run again.
func TestAMoveThatFailsIsRunAgain(t *testing.T) {
	t.Parallel()
	e := setupExisting(t)
	e.exec(t, e.web, "revoke select on tasks from app_owner")
	_, err := e.mover.move(t.Context(), 1)
	expectDenied(t, err)
	var schemas int
	err = e.pg.Pool.QueryRow(t.Context(), "select count(*) from pg_namespace where nspname like 'tenant%'").Scan(&schemas)
	require.NoError(t, err)
	assert.Zero(t, schemas)
	assert.Contains(t, e.ask(t, "north", "late"), "the customer has moved")
	e.expect(t, "north", `old ["north 1" "north 2"]`)
	e.exec(t, e.web, "grant select on tasks to app_owner")
	_, err = e.mover.move(t.Context(), 1)
	require.NoError(t, err)
	e.expect(t, "north", `200 ["north 1","north 2"]`)
}

// What the guide says of statements that are not converted, and of the check at the start.
func TestTheOldTablesAreClosedToTheNewProgram(t *testing.T) {
	t.Parallel()
	e := setupExisting(t)
	north, err := e.mover.move(t.Context(), 1)
	require.NoError(t, err)
	runtime := e.pools[schemactx.DefaultRoleNames(e.pg.Name).Runtime()]
	db, err := schemactx.New(runtime, schemactx.Config{})
	require.NoError(t, err)
	_, err = (&report{db, runtime}).count(t.Context())
	expectDenied(t, err)
	err = schemactx.WithSchema(t.Context(), north.Schema, func(ctx context.Context) error {
		return db.QueryRow(ctx, "select count(*) from public.tasks").Scan(new(int))
	})
	expectDenied(t, err)
	found, err := admin.Check(t.Context(), runtime, admin.CheckConfig{})
	require.NoError(t, err)
	assert.NoError(t, found.Err())
}

func expectDenied(t *testing.T, err error) {
	t.Helper()
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	assert.Equal(t, "42501", pgErr.Code)
}
