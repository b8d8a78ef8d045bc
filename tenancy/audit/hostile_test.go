package audit_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// A role with the rights of a writer cannot add a row that makes other rows unreadable for readers
// and maintainers.
func TestAWriterCannotMakeTheLogUnreadable(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range [][2]string{
		{"'2026-01-01'", "'infinity'"},
		{"'2026-01-01'", "'-infinity'"},
		{"'2026-01-01'", "'10000-01-01'"},
		{"'2026-01-01'", "'0044-03-01 BC'"},
		{"now()", "'infinity'"},
		{"now()", "'-infinity'"},
		{"now()", "'10000-01-01 00:00:00+00'"},
		{"now()", "'0044-03-15 BC'"},
		{"null", "'10.0.0.0/8'"},
		{"null", "'2001:db8::/32'"},
		{"'{}'", "'[]'"},
		{"'{}'", `'"x"'`},
		{"'{}'", "'null'"},
	} {
		values := strings.Replace(rowValues, c[0], c[1], 1)
		err := f.as(t, f.roles.Public(), "insert into public.audit_log ("+rowColumns+") values ("+values+")")
		assert.Equal(t, "23514", stateOf(err), "%s: %v", c[1], err)
	}
	err := f.as(
		t,
		f.roles.Public(),
		"insert into public.audit_heads (chain, position, month, digest) "+
			"values (gen_random_uuid(), 1, 'infinity', sha256('x'))",
	)
	assert.Equal(t, "23514", stateOf(err), err)
}

// The year 1 begins later in UTC than in zones to the east. A time that the table refuses must not
// be part of a batch.
func TestMonthsAreInUTC(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	at := time.Date(1, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600))
	expectField(t, l.Record(t.Context(), audit.Entry{Action: audit.Login, Time: at}), "time")
	require.NoError(t, l.Record(t.Context(), audit.Entry{Action: audit.Login, Time: at.Add(time.Hour)}))
	require.NoError(t, l.Flush(t.Context()))
	f.verify(t)
}

// A function of the configuration can panic. The request is logged, and its slot in the queue is
// released.
func TestAPanicInTheConfigReleasesTheReservedPlace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{QueueSize: 1})
	cfg := audit.MiddlewareConfig{Required: audit.All, Actor: func(r *http.Request) string {
		if r.Header.Get("Authorization") == "" {
			panic("no header")
		}
		return "ada"
	}}
	func() {
		defer func() {
			assert.True(t, recover() != nil, "the panic was swallowed")
		}()
		serve(l, cfg, answer(http.StatusOK), request("GET", "http://a.example.com/"))
	}()
	require.NoError(t, l.Flush(t.Context()))
	r := request("GET", "http://a.example.com/")
	r.Header.Set("Authorization", "x")
	w := serve(l, cfg, answer(http.StatusOK), r)
	assert.Equal(t, http.StatusOK, w.Code)
	got := f.requests(t, l)
	if assert.Len(t, got, 2) {
		assert.Equal(t, json.Number("500"), got[0].Details["status"])
	}
}

// Dropped entries are logged even if no other entry follows.
func TestTheLastLostEntryIsLogged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 1, Overflow: audit.Drop, Linger: time.Millisecond})
	require.NoError(t, err)
	f.record(t, l, 1)
	eventually(t, "a failure", func() bool { return l.Status().Err != nil }) // the writer has the entry
	for range 3 {
		assert.ErrorIs(t, l.Record(t.Context(), audit.Entry{Action: audit.Login}), audit.ErrFull)
	}
	back()
	require.NoError(t, l.Flush(t.Context()))
	closeLog(t, l)
	lost := f.list(t, audit.Filter{Actions: []audit.Action{audit.LogLost}})
	if assert.Len(t, lost, 1, "losses that the log reports") {
		assert.Equal(t, json.Number("3"), lost[0].Details["entries"], "losses that the log reports")
	}
	f.verify(t)
}

// A required request that is still served when Close times out is lost, and Close reports it.
func TestARequestThatOutlivesCloseIsCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	require.NoError(t, err)
	in, out, done := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		serve(l, audit.MiddlewareConfig{Required: audit.All}, func(http.ResponseWriter, *http.Request) {
			in <- true
			<-out
		}, request("GET", "http://a.example.com/"))
	}()
	<-in
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var lost *audit.LostError
	err = l.Close(over)
	if assert.ErrorAs(t, err, &lost) {
		assert.Equal(t, int64(1), lost.Entries)
	}
	close(out)
	<-done
	s := l.Status()
	assert.Equal(t, int64(1), s.Dropped, "status %+v", s)
	assert.Zero(t, s.Recorded, "status %+v", s)
	assert.Equal(t, 0, s.Queued, "status %+v", s)
}

// Damaged segments are evidence: a later one does not overwrite an earlier one.
func TestDamagedSegmentsAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := filepath.Join(t.TempDir(), "spill")
	for i := range 3 {
		back := f.away(t)
		l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
		require.NoError(t, err)
		f.fill(t, l, 1, 1)
		closeLog(t, l)
		names := segments(t, dir, ".spill")
		info, err := os.Stat(names[0])
		require.NoError(t, err)
		require.NoError(t, os.Truncate(names[0], info.Size()-1))
		back()
		f.replay(t, dir)
		assert.Equal(t, i+1, len(segments(t, dir, ".damaged")), "damaged segments after %d", i+1)
	}
}

// The owner of a directory can put files into it, whatever its mode is.
func TestASpillDirectoryOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	f := setup(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, os.Chown(dir, 65534, 65534))
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	expectField(t, err, "spill.dir")
	if err == nil {
		closeLog(t, l)
	}
}

// Rows of a removed month may still be in a spill. They are written and verified, and the next
// maintenance removes them.
func TestLateRowsOfARemovedMonthAreRemoved(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := newClock("2026-01-15 12:00:00")
	f.keep(t, c, audit.PartitionMaintainerConfig{})
	l, err := audit.Open(t.Context(), f.db, audit.Config{
		Clock: c.Now, Linger: time.Millisecond, Spill: audit.SpillConfig{Dir: filepath.Join(t.TempDir(), "spill")},
	})
	require.NoError(t, err)
	f.fill(t, l, 5, 1)
	f.exec(t, "revoke insert ("+rowColumns+") on public.audit_log from "+f.roles.Public())
	f.fill(t, l, 5, 1)
	_, report := f.keep(t, newClock("2026-03-15 12:00:00"), audit.PartitionMaintainerConfig{Keep: 1})
	require.Len(t, report.Removed, 1, "removed %+v", report)
	f.exec(t, "grant insert ("+rowColumns+") on public.audit_log to "+f.roles.Public())
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	closeLog(t, l)
	assert.Equal(t, 5, f.count(t, "tenant_id = 1"), "the late rows are missing")
	f.verify(t)
	_, report = f.keep(t, newClock("2026-03-15 12:00:00"), audit.PartitionMaintainerConfig{Keep: 1})
	if assert.Len(t, report.Made, 1, "maintained %+v", report) &&
		assert.Len(t, report.Removed, 1, "maintained %+v", report) {
		assert.Equal(t, 0, f.count(t, "true"), "maintained %+v", report)
	}
	f.verify(t)
}

// A month that is kept as evidence does not stop the removal of other months.
func TestATamperedMonthDoesNotStopRetention(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := newClock("2026-01-15 12:00:00")
	f.keep(t, c, audit.PartitionMaintainerConfig{Ahead: 3})
	l, err := audit.Open(t.Context(), f.db, audit.Config{Clock: c.Now})
	require.NoError(t, err)
	for _, now := range []string{"2026-01-15 12:00:00", "2026-02-15 12:00:00", "2026-03-15 12:00:00"} {
		c.set(now)
		f.fill(t, l, 2, 1)
	}
	closeLog(t, l)
	f.exec(t, "update public.audit_log set actor = 'eve' where month = '2026-01-01' and position = 2")
	// A distant month gets no partition, because every writer could otherwise create partitions.
	f.exec(
		t,
		"insert into public.audit_log ("+rowColumns+") values ("+strings.Replace(
			rowValues,
			"2026-01-01",
			"2999-01-01",
			1,
		)+")",
	)
	k, err := audit.NewPartitionMaintainer(
		f.owner,
		audit.PartitionMaintainerConfig{Keep: 1, Clock: newClock("2026-04-15 12:00:00").Now},
	)
	require.NoError(t, err)
	report, err := k.Maintain(t.Context())
	assert.ErrorIs(t, err, audit.ErrTampered)
	if assert.Len(t, report.Removed, 1, "maintained %+v", report) &&
		assert.Equal(t, time.February, report.Removed[0].Month(), "maintained %+v", report) {
		assert.Len(t, report.Made, 2, "maintained %+v", report)
	}
}

// The text that follows the command may be data of the tenant, even without a space between them.
func TestOnlyTheCommandOfAStatementIsLogged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	hooks := l.SchemaHooks(schemactx.Hooks{})
	denied := f.as(t, f.roles.Public(), "select count(*) from public.audit_log")
	for _, sql := range []string{
		"select'confidential'", "SELECT\n'confidential'", "select/*confidential*/1", "/*confidential*/ select 1", "",
		"'confidential'",
	} {
		hooks.StatementFailure(t.Context(), schemactx.StatementFailure{Schema: "tenant_1", SQL: sql, Err: denied})
	}
	require.NoError(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Actions: []audit.Action{audit.PermissionDenied}})
	assert.Len(t, got, 6, "%d entries", len(got))
	for _, r := range got {
		command := r.Details["command"]
		if command != "select" {
			assert.Equal(t, "", command, "the command")
		}
	}
}

// A hook holds a connection, which may be the one that the writer waits for. So it waits for a free
// slot only for a limited time, and not less if the client disconnects.
func TestAHookWaitsForABoundedTime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(
		t.Context(),
		f.db,
		audit.Config{QueueSize: 1, WriteTimeout: 100 * time.Millisecond, Linger: time.Millisecond},
	)
	require.NoError(t, err)
	tx := begin(t, f.pg.Pool)
	_, err = tx.Exec(t.Context(), "lock table public.audit_log in access exclusive mode")
	require.NoError(t, err)
	f.record(t, l, 1)
	// otherwise the test does not end
	l.SchemaHooks(schemactx.Hooks{}).SchemaSwitch(t.Context(), schemactx.SchemaSwitch{Schema: "tenant_1"})
	s := l.Status()
	assert.Equal(t, int64(1), s.Dropped, "status %+v", s)
	gone, cancel := context.WithCancel(
		tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 1, Slug: "a", Schema: "tenant_1"}),
	)
	cancel()
	unlocked := make(chan error, 1)
	time.AfterFunc(20*time.Millisecond, func() { unlocked <- tx.Rollback(context.Background()) })
	l2, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 1, Linger: time.Millisecond})
	require.NoError(t, err)
	f.record(t, l2, 1)
	l2.SchemaHooks(schemactx.Hooks{}).SchemaSwitch(gone, schemactx.SchemaSwitch{Schema: "tenant_2"})
	require.NoError(t, <-unlocked)
	closeLog(t, l)
	closeLog(t, l2)
	assert.Equal(t, 1, f.count(t, "action = 'explicit_switch'"), "switches are logged")
}

// A writer can write any action.
func TestExportedActionsAreNoFormulas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tx := begin(t, f.pg.Pool)
	_, err := tx.Exec(t.Context(), "set local role "+pgx.Identifier{f.roles.Public()}.Sanitize())
	require.NoError(t, err)
	_, err = tx.Exec(
		t.Context(),
		"insert into public.audit_log ("+rowColumns+") values ("+strings.Replace(rowValues, "'update'", "'=cmd'", 1)+")",
	)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	var text strings.Builder
	_, err = f.reader.Export(t.Context(), &text, audit.Filter{}, audit.CSV)
	require.NoError(t, err)
	assert.NotContains(t, text.String(), ",=cmd", "exported")
}
