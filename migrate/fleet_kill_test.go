package migrate_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// These variables turn this binary into a process that migrates a fleet and is then killed.
const (
	victimURL   = "PGTENANT_TEST_FLEET_URL"
	victimGroup = "PGTENANT_TEST_FLEET_GROUP"
	victimAlone = "PGTENANT_TEST_FLEET_ALONE"
)

const victimSchemas = 120

// victimMigrations show in the data whether one of them was applied twice or in part.
var victimMigrations = map[string]string{
	"00001_notes.sql": basic["00001_notes.sql"],
	"00002_body.sql": "alter table notes add column body text;\ncreate table seen (id int);\n" +
		"insert into seen values (1);",
	"00003_index.sql": "create index notes_body on notes (body);",
	"00004_count.sql": "update notes set id = id + 10;",
}

// victimIndex is a migration without a transaction.
const victimIndex = "-- +goose NO TRANSACTION\ndrop index concurrently if exists seen_id;\n" +
	"create index concurrently seen_id on seen (id);"

// victimFiles are all migrations, or those with a transaction.
func victimFiles(alone bool) map[string]string {
	files := maps.Clone(victimMigrations)
	if alone {
		files["00005_alone.sql"] = victimIndex
	}
	return files
}

// runVictim migrates until it has finished or is killed.
func runVictim(t *testing.T, url string) {
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	files := victimFiles(os.Getenv(victimAlone) != "")
	r, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{source("app", files)}})
	require.NoError(t, err)
	group := len(os.Getenv(victimGroup))
	fmt.Println("ready")
	_, err = r.UpAll(t.Context(), migrate.Schemas(names(victimSchemas)...), migrate.UpAllOptions{PerTransaction: group})
	require.NoError(t, err)
}

// startVictim starts this binary again and returns when it begins to migrate.
func startVictim(t *testing.T, url string, group int, alone bool) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$", "-test.v")
	cmd.Env = append(os.Environ(), victimURL+"="+url, victimGroup+"="+strings.Repeat("x", group))
	if alone {
		cmd.Env = append(cmd.Env, victimAlone+"=x")
	}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ready := make([]byte, 1<<10)
	for seen := ""; !strings.Contains(seen, "ready"); {
		n, err := out.Read(ready)
		require.NoError(t, err)
		seen += string(ready[:n])
	}
	go func() { // drain the output, so that the process does not block
		for {
			if _, err := out.Read(ready); err != nil {
				return
			}
		}
	}()
	return cmd
}

// victim is the state of a schema of the fleet.
type victim struct {
	Schema, Versions string
	MaxID, Seen      int
	Index, Built     bool // notes_body and seen_id are there and valid
}

// expectVictimsDone checks version tables and objects.
func (f fixture) expectVictimsDone(t *testing.T, round string, alone bool) {
	t.Helper()
	var want []victim
	var selects []string
	for _, name := range names(victimSchemas) {
		v := victim{name, "0 1 2 3 4", 11, 1, true, alone}
		if alone {
			v.Versions += " 5"
		}
		want = append(want, v)
		selects = append(selects, fmt.Sprintf(`select '%[1]s',
			(select string_agg(version_id::text, ' ' order by id) from %[1]s.goose_db_version),
			(select max(id) from %[1]s.notes), (select count(*) from %[1]s.seen),
			exists (select from pg_index where indexrelid = to_regclass('%[1]s.notes_body') and indisvalid),
			exists (select from pg_index where indexrelid = to_regclass('%[1]s.seen_id') and indisvalid)`, name))
	}
	rows, err := f.PG.Pool.Query(t.Context(), strings.Join(selects, " union all "))
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[victim])
	require.NoError(t, err)
	assert.ElementsMatch(t, want, got, round)
}

func TestKilledFleetContinues(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(victimURL); url != "" {
		runVictim(t, url)
		return
	}
	rounds := 24
	if testing.Short() {
		rounds = 4
	}
	f := fleet(t, victimSchemas)
	interrupted := 0
	window := 250 * time.Millisecond // in which a run is killed; it follows the speed of the machine
	for round := range rounds {
		group := 1 + round%2*9
		alone := round%3 == 2
		name := fmt.Sprintf("round %d, %d per transaction, NO TRANSACTION %t", round, group, alone)
		cmd := startVictim(t, f.PG.URL, group, alone)
		time.Sleep(rand.N(window)) // the test needs a random moment
		require.NoError(t, cmd.Process.Kill())
		var exit *exec.ExitError
		err := cmd.Wait()
		if err != nil {
			require.ErrorAs(t, err, &exit)
		}
		report, err := f.Runner(t, victimFiles(alone)).
			UpAll(t.Context(), migrate.Schemas(names(victimSchemas)...), migrate.UpAllOptions{})
		require.NoError(t, err)
		switch {
		case report.Current == 0: // killed before the first commit
			window = min(2*window, 8*time.Second)
		case len(report.Results) > 0:
			interrupted++
		default: // killed when all was done
			window = max(window/2, 10*time.Millisecond)
		}
		f.expectVictimsDone(t, name, alone)
		if t.Failed() {
			return
		}
		f.startOver(t)
	}
	t.Logf("%d of %d runs were killed half-way", interrupted, rounds)
	assert.NotZero(t, interrupted, "no run was killed half-way")
}

// startOver resets the schemas to their first migration.
func (f fixture) startOver(t *testing.T) {
	t.Helper()
	var sql strings.Builder
	for _, name := range names(victimSchemas) {
		fmt.Fprintf(
			&sql,
			`delete from %[1]s.goose_db_version where version_id > 1; alter table %[1]s.notes drop column if exists body;
			drop table if exists %[1]s.seen; drop index if exists %[1]s.notes_body; update %[1]s.notes set id = 1;`,
			name,
		)
	}
	f.Exec(t, sql.String())
}

func TestTwoProcessesMigrateOneFleet(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(victimURL); url != "" {
		runVictim(t, url)
		return
	}
	f := fleet(t, victimSchemas)
	for _, alone := range []bool{false, true} {
		f.startOver(t)
		var wg sync.WaitGroup
		for i := range 3 {
			cmd := startVictim(t, f.PG.URL, 1+i*4, alone)
			wg.Go(func() {
				assert.NoError(t, cmd.Wait(), "process %d", i)
			})
		}
		wg.Wait()
		f.expectVictimsDone(t, "three processes", alone)
	}
}

// waitingHere counts the sessions of this database that wait for advisory locks. Other tests have
// sessions that wait in their databases.
const waitingHere = `select count(*) from pg_locks join pg_database d on d.oid = database
	and datname = current_database()
	where not granted and locktype = 'advisory'`

func TestCancelLetsWhatRunsFinish(t *testing.T) {
	t.Parallel()
	f := fleet(t, 12)
	gate, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = gate.Exec(t.Context(), "select pg_advisory_xact_lock(1)")
	require.NoError(t, err)
	slow := map[string]string{
		"00001_notes.sql": basic["00001_notes.sql"],
		"00002_body.sql":  "alter table notes add column body text;\nselect pg_advisory_xact_lock_shared(1);",
	}
	r := f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{source("app", slow)}, LockTimeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	type end struct {
		report migrate.Report
		err    error
	}
	ended := make(chan end)
	up := func(drain time.Duration) {
		report, err := r.UpAll(ctx, migrate.Schemas(names(12)...), migrate.UpAllOptions{Workers: 2, Drain: drain})
		ended <- end{report, err}
	}
	waiting := func() {
		for n := 0; n < 2; {
			f.Scan(t, waitingHere, &n)
		}
	}
	go up(time.Minute)
	waiting()
	cancel()
	require.NoError(t, gate.Rollback(t.Context()))
	got := <-ended
	assert.ErrorIs(t, got.err, context.Canceled)
	assert.Equal(t, 2, got.report.Count(migrate.Migrated), got.report.Summary())
	assert.Equal(t, 10, got.report.Count(migrate.NotStarted), got.report.Summary())
	assert.Equal(t, migrate.ExitIncomplete, got.report.ExitCode(), got.report.Summary())
	assert.Equal(t, 2, f.at(t, 12), "are migrated")

	// Without a drain they are rolled back.
	gate, err = f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = gate.Exec(t.Context(), "select pg_advisory_xact_lock(1)")
	require.NoError(t, err)
	ctx, cancel = context.WithCancel(t.Context())
	go up(-1)
	waiting()
	cancel()
	got = <-ended
	assert.ErrorIs(t, got.err, context.Canceled)
	for n := 1; n > 0; { // until the server has cancelled them
		f.Scan(t, waitingHere, &n)
	}
	require.NoError(t, gate.Rollback(t.Context()))
	assert.Equal(t, 2, got.report.Count(migrate.Failed), got.report.Summary())
	assert.Equal(t, 8, got.report.Count(migrate.NotStarted), got.report.Summary())
	assert.Equal(t, 2, f.at(t, 12), "migrated schemas; the report: %s", got.report.Summary())
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go up(0)
	got = <-ended
	require.NoError(t, got.err)
	assert.Equal(t, 12, f.at(t, 12), "are migrated")
}

func TestLockedTenantMakesOnlyItselfLate(t *testing.T) {
	t.Parallel()
	f := fleet(t, 20)
	locked := map[string]string{"tenant_3": "notes", "tenant_8": "notes", "tenant_12": "goose_db_version"}
	gate, err := f.PG.Pool.Begin(t.Context())
	require.NoError(t, err)
	for schema, table := range locked {
		_, err = gate.Exec(t.Context(), "lock table "+schema+"."+table)
		require.NoError(t, err)
	}
	cfg := migrate.Config{
		Tenant:      []migrate.Source{source("app", basic)},
		LockTimeout: 50 * time.Millisecond,
		LockRetries: 50,
	}
	var once sync.Once
	report, err := f.runnerWith(t, cfg).
		UpAll(t.Context(), migrate.Schemas(names(20)...), migrate.UpAllOptions{Workers: 2, Events: func(e migrate.Event) {
			if e.Kind != migrate.EventFinished {
				return
			}
			_, ok := locked[e.Schema]
			if ok {
				assert.Greater(t, e.Progress.Done, 17, "%s was finished as number %d", e.Schema, e.Progress.Done)
			}
			if e.Progress.Done == 17 { // all other schemas are done
				once.Do(func() { require.NoError(t, gate.Rollback(t.Context())) })
			}
		}})
	require.NoError(t, err)
	assert.Equal(t, 20, f.at(t, 20), "migrated schemas; the report: %s", report.Summary())
	assert.Equal(t, 20, report.Count(migrate.Migrated), report.Summary())
}

func TestSchemaDroppedDuringTheRun(t *testing.T) {
	t.Parallel()
	for name, group := range map[string]int{"alone": 1, "in a group": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fleet(t, 6)
			var once sync.Once
			report, err := f.Runner(t, basic).
				UpAll(t.Context(), migrate.Schemas(names(6)...),
					migrate.UpAllOptions{Workers: 1, PerTransaction: group, Events: func(e migrate.Event) {
						if e.Kind == migrate.EventPlanned {
							once.Do(func() {
								f.Exec(t, "drop schema tenant_4 cascade; drop table tenant_5.goose_db_version, tenant_5.notes")
							})
						}
					}})
			assert.ErrorIs(t, err, migrate.ErrSchemaMissing)
			expectOutcomes(
				t,
				report,
				"tenant_1 migrated 1 2",
				"tenant_2 migrated 1 2",
				"tenant_3 migrated 1 2",
				"tenant_4 dropped 0 0",
				"tenant_5 migrated 0 2",
				"tenant_6 migrated 1 2",
			)
		})
	}
}

func TestVersionsThatChangedSinceTheyWereRead(t *testing.T) {
	t.Parallel()
	f := fleet(t, 4)
	var once sync.Once
	report, err := f.Runner(t, basic).
		UpAll(t.Context(), migrate.Schemas(names(4)...),
			migrate.UpAllOptions{PerTransaction: 2, Events: func(e migrate.Event) {
				if e.Kind == migrate.EventPlanned {
					once.Do(func() {
						require.NoError(t, f.Runner(t, basic).Migrate(t.Context(), "tenant_1"))
						f.Exec(t, `insert into tenant_2.goose_db_version (version_id, is_applied) values (9, true);
					update tenant_3.goose_db_version set is_applied = false where version_id = 1; drop table tenant_3.notes`)
					})
				}
			}})
	assert.ErrorIs(t, err, migrate.ErrUnknownVersion)
	expectOutcomes(t, report, "tenant_2 unknown version 9 9", "tenant_3 migrated 0 2", "tenant_4 migrated 1 2")
	assert.Equal(t, 1, report.Current, "%d current", report.Current)
}
