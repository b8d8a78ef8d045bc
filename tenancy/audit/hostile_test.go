package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// Who has the rights of a writer adds no row that would keep readers and keepers from all others.
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
		if err := f.as(t, f.roles.Public(), "insert into public.audit_log ("+rowColumns+") values ("+values+")"); stateOf(err) != "23514" {
			t.Errorf("%s: %v", c[1], err)
		}
	}
	err := f.as(t, f.roles.Public(), "insert into public.audit_heads (chain, position, month, digest) values (gen_random_uuid(), 1, 'infinity', sha256('x'))")
	if stateOf(err) != "23514" {
		t.Error(err)
	}
}

// The year 1 begins later in UTC than in the east: what the table refuses must not get into a batch.
func TestTheYearIsThatOfUTC(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	at := time.Date(1, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600))
	expectField(t, l.Record(t.Context(), audit.Entry{Action: audit.Login, Time: at}), "time")
	check(t, l.Record(t.Context(), audit.Entry{Action: audit.Login, Time: at.Add(time.Hour)}))
	check(t, l.Flush(t.Context()))
	f.verify(t)
}

// What the program brings may panic: the request is logged, and its place in the queue is not kept for ever.
func TestAPanicOfTheConfigGivesThePlaceBack(t *testing.T) {
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
			if recover() == nil {
				t.Error("the panic did not go on")
			}
		}()
		serve(l, cfg, answer(http.StatusOK), request("GET", "http://a.example.com/"))
	}()
	check(t, l.Flush(t.Context()))
	r := request("GET", "http://a.example.com/")
	r.Header.Set("Authorization", "x")
	if w := serve(l, cfg, answer(http.StatusOK), r); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
	if got := f.requests(t, l); len(got) != 2 || got[0].Details["status"] != json.Number("500") {
		t.Errorf("got %v", got)
	}
}

// Losses are told of by the log also where no other entry comes behind them.
func TestTheLastLossIsLogged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 1, Overflow: audit.Drop, Linger: time.Millisecond})
	check(t, err)
	f.record(t, l, 1)
	eventually(t, "a failure", func() bool { return l.Status().Err != nil }) // the writer has the entry
	for range 3 {
		expectIs(t, l.Record(t.Context(), audit.Entry{Action: audit.Login}), audit.ErrFull)
	}
	back()
	check(t, l.Flush(t.Context()))
	closeLog(t, l)
	lost := f.list(t, audit.Filter{Actions: []audit.Action{audit.LogLost}})
	if len(lost) != 1 || lost[0].Details["entries"] != json.Number("3") {
		t.Errorf("the log says of its losses: %v", lost)
	}
	f.verify(t)
}

// A request that must be logged, and is served for longer than Close may wait, is lost, and Close says so.
func TestARequestThatOutlivesCloseIsCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	check(t, err)
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
	if err := l.Close(over); !errors.As(err, &lost) || lost.Entries != 1 {
		t.Errorf("got %v", err)
	}
	close(out)
	<-done
	if s := l.Status(); s.Dropped != 1 || s.Recorded != 0 || s.Queued != 0 {
		t.Errorf("status %+v", s)
	}
}

// Damaged segments are evidence: a later one does not take the name of one before it.
func TestDamagedSegmentsAreAllKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := filepath.Join(t.TempDir(), "spill")
	for i := range 3 {
		back := f.away(t)
		l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
		check(t, err)
		f.fill(t, l, 1, 1)
		closeLog(t, l)
		names := segments(t, dir, ".spill")
		info, err := os.Stat(names[0])
		check(t, err)
		check(t, os.Truncate(names[0], info.Size()-1))
		back()
		f.replay(t, dir)
		if n := len(segments(t, dir, ".damaged")); n != i+1 {
			t.Errorf("%d damaged segments after %d", n, i+1)
		}
	}
}

// Who owns a directory may put files into it, whatever its mode is.
func TestASpillDirectoryOfAnotherIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	f := setup(t)
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o700))
	check(t, os.Chown(dir, 65534, 65534))
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	expectField(t, err, "spill directory")
	if err == nil {
		closeLog(t, l)
	}
}

// Rows of a month that was removed may still be in a spill. They are kept, checked, and go with the next maintenance.
func TestRowsThatComeAfterTheirMonthWasRemovedGoToo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := newClock("2026-01-15 12:00:00")
	f.keep(t, c, audit.KeeperConfig{})
	l, err := audit.Open(t.Context(), f.db, audit.Config{
		Clock: c.Now, Linger: time.Millisecond, Spill: audit.SpillConfig{Dir: filepath.Join(t.TempDir(), "spill")},
	})
	check(t, err)
	f.fill(t, l, 5, 1)
	f.exec(t, "revoke insert ("+rowColumns+") on public.audit_log from "+f.roles.Public())
	f.fill(t, l, 5, 1)
	_, report := f.keep(t, newClock("2026-03-15 12:00:00"), audit.KeeperConfig{Keep: 1})
	if len(report.Removed) != 1 {
		t.Fatalf("removed %+v", report)
	}
	f.exec(t, "grant insert ("+rowColumns+") on public.audit_log to "+f.roles.Public())
	eventually(t, "the spill to be empty", func() bool { return l.Status().SpillBytes == 0 })
	closeLog(t, l)
	if f.count(t, "tenant_id = 1") != 5 {
		t.Error("the late rows are not there")
	}
	f.verify(t)
	_, report = f.keep(t, newClock("2026-03-15 12:00:00"), audit.KeeperConfig{Keep: 1})
	if len(report.Made) != 1 || len(report.Removed) != 1 || f.count(t, "true") != 0 {
		t.Errorf("maintained %+v", report)
	}
	f.verify(t)
}

// A month that is kept as evidence does not keep those behind it.
func TestEvidenceDoesNotStopRetention(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := newClock("2026-01-15 12:00:00")
	f.keep(t, c, audit.KeeperConfig{Ahead: 3})
	l, err := audit.Open(t.Context(), f.db, audit.Config{Clock: c.Now})
	check(t, err)
	for _, now := range []string{"2026-01-15 12:00:00", "2026-02-15 12:00:00", "2026-03-15 12:00:00"} {
		c.set(now)
		f.fill(t, l, 2, 1)
	}
	closeLog(t, l)
	f.exec(t, "update public.audit_log set actor = 'eve' where month = '2026-01-01' and position = 2")
	// Nor does a month that is far away get a partition, which everybody who writes could ask for.
	f.exec(t, "insert into public.audit_log ("+rowColumns+") values ("+strings.Replace(rowValues, "2026-01-01", "2999-01-01", 1)+")")
	k, err := audit.NewKeeper(f.owner, audit.KeeperConfig{Keep: 1, Clock: newClock("2026-04-15 12:00:00").Now})
	check(t, err)
	report, err := k.Maintain(t.Context())
	expectIs(t, err, audit.ErrTampered)
	if len(report.Removed) != 1 || report.Removed[0].Month() != time.February || len(report.Made) != 2 {
		t.Errorf("maintained %+v", report)
	}
}

// What may follow a command without a space is the tenant's.
func TestNothingOfAStatementIsLoggedButItsCommand(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	hooks := l.SchemaHooks(schemactx.Hooks{})
	denied := f.as(t, f.roles.Public(), "select count(*) from public.audit_log")
	for _, sql := range []string{"select'confidential'", "SELECT\n'confidential'", "select/*confidential*/1", "/*confidential*/ select 1", "", "'confidential'"} {
		hooks.Failed(t.Context(), schemactx.FailedData{Schema: "tenant_1", SQL: sql, Err: denied})
	}
	check(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Actions: []audit.Action{audit.PermissionDenied}})
	if len(got) != 6 {
		t.Errorf("%d entries", len(got))
	}
	for _, r := range got {
		if command := r.Details["command"]; command != "select" && command != "" {
			t.Errorf("the command is %q", command)
		}
	}
}

// A hook holds a connection, which may be the one that the writer waits for: it does not wait for room for ever, and not
// shorter because a client has hung up.
func TestAHookDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 1, WriteTimeout: 100 * time.Millisecond, Linger: time.Millisecond})
	check(t, err)
	tx := begin(t, f.pg.Pool)
	_, err = tx.Exec(t.Context(), "lock table public.audit_log in access exclusive mode")
	check(t, err)
	f.record(t, l, 1)
	l.SchemaHooks(schemactx.Hooks{}).Switched(t.Context(), schemactx.SwitchedData{Schema: "tenant_1"}) // or the test never ends
	if s := l.Status(); s.Dropped != 1 {
		t.Errorf("status %+v", s)
	}
	gone, cancel := context.WithCancel(tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 1, Slug: "a", Schema: "tenant_1"}))
	cancel()
	unlocked := make(chan error, 1)
	time.AfterFunc(20*time.Millisecond, func() { unlocked <- tx.Rollback(context.Background()) })
	l2, err := audit.Open(t.Context(), f.db, audit.Config{QueueSize: 1, Linger: time.Millisecond})
	check(t, err)
	f.record(t, l2, 1)
	l2.SchemaHooks(schemactx.Hooks{}).Switched(gone, schemactx.SwitchedData{Schema: "tenant_2"})
	check(t, <-unlocked)
	closeLog(t, l)
	closeLog(t, l2)
	if n := f.count(t, "action = 'explicit_switch'"); n != 1 {
		t.Errorf("%d switches are logged", n)
	}
}

// Who may write rows may write any action.
func TestAnActionIsNoFormula(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tx := begin(t, f.pg.Pool)
	_, err := tx.Exec(t.Context(), "set local role "+pgx.Identifier{f.roles.Public()}.Sanitize())
	check(t, err)
	_, err = tx.Exec(t.Context(), "insert into public.audit_log ("+rowColumns+") values ("+strings.Replace(rowValues, "'update'", "'=cmd'", 1)+")")
	check(t, err)
	check(t, tx.Commit(t.Context()))
	var text strings.Builder
	_, err = f.reader.Export(t.Context(), &text, audit.Filter{}, audit.CSV)
	check(t, err)
	if strings.Contains(text.String(), ",=cmd") {
		t.Errorf("exported %s", text.String())
	}
}
