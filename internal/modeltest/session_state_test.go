package modeltest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// sessionState is the state that a statement finds on its connection. Of the prepared statements it
// has those that SQL has made. The library's own prepared statements stay, as ATTACKS.md says, and
// SQL cannot execute them. checkConnections checks their number.
type sessionState struct {
	Who, Login, Path, Mark, Unit string
	Settings                     []string
	Locks                        []int32
	Cursors, Temps               []string
	Channels, Prepared           []string
	Last                         int64
}

// look reads a row of lib.session_state. State of another tenant in it is an violation.
func (m *model) look(row pgx.CollectableRow) error {
	s, err := pgx.RowToStructByPos[sessionState](row)
	if err == nil && m.violation == "" {
		m.violation = m.judge(&s, m.schema, m.wantUnit)
	}
	return err
}

// judge returns what in s is wrong for a statement in the schema, or "".
func (m *model) judge(s *sessionState, schema, unit string) string {
	n := number(schema)
	foreign := func(prefix string, names []string) bool {
		return slices.ContainsFunc(
			names, func(name string) bool { return strings.HasPrefix(name, prefix) && name != prefix+schema },
		)
	}
	switch {
	case s.Who != m.runsAs(schema):
		return fmt.Sprintf("it runs as %s", s.Who)
	case s.Path != m.pathOf(schema):
		return fmt.Sprintf("it runs in the path %s", s.Path)
	case s.Unit != unit:
		return fmt.Sprintf("it finds the setting %q of a unit of work, want %q", s.Unit, unit)
	case s.Mark != "" && s.Mark != schema:
		return fmt.Sprintf("it finds the setting of %s", s.Mark)
	case slices.ContainsFunc(s.Settings, func(v string) bool {
		return v != "TimeZone=Etc/GMT+"+strconv.Itoa(n) && v != "work_mem="+strconv.Itoa(1000+n)
	}):
		return fmt.Sprintf("it finds the settings %v", s.Settings)
	case slices.ContainsFunc(s.Locks, func(l int32) bool { return l != int32(n) }):
		return fmt.Sprintf("it finds the advisory locks %v", s.Locks)
	case foreign("c_", s.Cursors):
		return fmt.Sprintf("it finds the cursors %v", s.Cursors)
	case foreign("temp_", s.Temps):
		return fmt.Sprintf("it finds the temporary tables %v", s.Temps)
	case foreign("ch_", s.Channels):
		return fmt.Sprintf("it listens to %v", s.Channels)
	case foreign("p_", s.Prepared):
		return fmt.Sprintf("it finds the prepared statements %v", s.Prepared)
	case s.Last != 0 && s.Last/1_000_000_000 != int64(n):
		return fmt.Sprintf("it finds a number of another's sequence, %d", s.Last)
	}
	return ""
}

// pathOf returns the search path of a schema's scope.
func (m *model) pathOf(schema string) string {
	if m.extra != nil {
		return `"` + schema + `", "lib", pg_temp`
	}
	return `"` + schema + `", pg_temp`
}

// checkConnections reads the state of each idle connection, without the library. It returns the
// first problem, or "".
func (m *model) checkConnections() string {
	for _, conn := range m.opened {
		pc := conn.PgConn()
		if conn.IsClosed() || m.gone[pc.PID()] || slices.ContainsFunc(
			m.txs, func(tx *openTx) bool { return tx.pid == pc.PID() },
		) {
			continue
		}
		if status := pc.TxStatus(); status != 'I' {
			return fmt.Sprintf("a connection waits with the transaction status %c", status)
		}
		results, err := pc.Exec(context.Background(), `select current_user, session_user, current_setting('search_path'),
			(select count(*) from pg_prepared_statements where name ~ '^pgtenant_[0-9]'),
			(select count(*) from pg_prepared_statements where name ~ '^pgtenant_own'),
			array(select pg_listening_channels())`).ReadAll()
		if err != nil {
			return fmt.Sprintf("ask a connection: %v", err)
		}
		var v []string
		for _, b := range results[0].Rows[0] {
			v = append(v, string(b))
		}
		user, login, path, named, own, channels := v[0], v[1], v[2], v[3], v[4], v[5]
		shared := m.level.level != schemactx.Logins || login == m.login()
		switch n, _ := strconv.Atoi(named); {
		case shared && login != m.login():
			return fmt.Sprintf("a connection is logged in as %s", login)
		case shared && user != login:
			return fmt.Sprintf("a connection waits with the role %s", user)
		case m.level.level == schemactx.PathOnly && path != `"$user", public` && path != "lib":
			return fmt.Sprintf("a connection waits with the path %s", path)
		case channels != "{}" && m.clean[pc.PID()] != "" && channels != "{ch_"+m.clean[pc.PID()]+"}":
			return fmt.Sprintf("a connection listens to %s after a unit of work of %s", channels, m.clean[pc.PID()])
		case n > capacity+2*largest: // those of a batch that are deallocated next, and those of a failed batch
			return fmt.Sprintf("a connection has %d statements prepared, own %s", n, own)
		}
	}
	return ""
}

// checkPools compares the connections that the pools and semaphores count with the open
// transactions. It returns the first difference, or "".
func (m *model) checkPools() string {
	held := 0
	for _, tx := range m.txs {
		if tx.schema == rich {
			held++
		}
	}
	if n := m.onLoan(len(m.txs)); n != len(m.txs) {
		return fmt.Sprintf("%d connections are on loan to %d transactions", n, len(m.txs))
	}
	for _, u := range m.db.Usage() {
		if u.Schema == rich && u.Held == held && u.Waiting == 0 {
			held = 0
			continue
		}
		return fmt.Sprintf("usage %+v, with %d of its units open", u, held)
	}
	if held != 0 {
		return fmt.Sprintf("%d units of %s hold no place", held, rich)
	}
	return ""
}

// onLoan returns the number of acquired connections. A pool counts a connection for a moment while
// it closes it. So if a connection was closed, onLoan waits until the number is at most want.
func (m *model) onLoan(want int) int {
	for deadline := time.Now().Add(stepTimeout); ; time.Sleep(100 * time.Microsecond) {
		n := m.db.PoolStats().Acquired
		closing := slices.ContainsFunc(m.opened, (*pgx.Conn).IsClosed)
		if n <= want || !closing || time.Now().After(deadline) {
			return n
		}
	}
}
