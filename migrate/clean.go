package migrate

import (
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// setting is one setting of a session, and its value.
type setting struct{ name, value string }

// sessionStart is what a session was before a migration ran on it.
type sessionStart struct {
	read     bool
	triggers bool      // every statement that changes a schema calls functions, of event triggers
	settings []setting // its user, its role, and what the pool's hooks have set
}

// sessionQuery reads the start of a session. What comes with the connection itself survives a RESET
// ALL. Settings of a program's own are not in pg_settings.
const (
	sessionQuery = `select '', exists (select from pg_event_trigger where evtenabled <> 'D')::text
		union all select 'session_authorization', current_setting('session_authorization')
		union all select 'role', current_setting('role')`
	hookedQuery = sessionQuery + ` union all select name, setting from pg_settings
		where source = 'session' and context in ('user', 'superuser') and name not like 'transaction\_%'`
)

// hooked reports whether a program's hooks may have set something on the connections of a pool.
func hooked(pool *pgxpool.Pool) bool {
	cfg := pool.Config()
	return cfg.AfterConnect != nil || cfg.ConnConfig.AfterConnect != nil || cfg.PrepareConn != nil ||
		cfg.BeforeAcquire != nil //nolint:staticcheck // a program may still use it
}

// sessionCall returns the call that reads the settings of a session.
func (t target) sessionCall() call {
	if t.cfg.hooked {
		return call{sql: hookedQuery}
	}
	return call{sql: sessionQuery}
}

// readStart reads the rows of sessionCall.
func readStart(rows [][][]byte) sessionStart {
	start := sessionStart{read: true}
	for _, row := range rows {
		if len(row[0]) == 0 {
			start.triggers = string(row[1]) == "true"
			continue
		}
		start.settings = append(start.settings, setting{string(row[0]), string(row[1])})
	}
	return start
}

// clean returns the calls that take from a session whatever a migration may have left on it,
// between two transactions, so that the next file and the next schema begin as on a new connection.
// Nothing tells from a statement's text what the functions do that it calls, so all of it is done
// behind every step that may change its session. It is a transaction of its own: what runs at COMMIT has run,
// and in one message the next BEGIN would else make one transaction of both. Advisory locks are not
// given back: one is the runner's own; the connection ends them.
func clean(start sessionStart) []call {
	return []call{
		{sql: beginSQL + " read write"},
		{sql: "reset all"},
		{sql: "close all"},
		{sql: "unlisten *"},
		{sql: "discard temp"},
		{sql: "discard sequences"},
		{sql: "deallocate all"},
		setConfig(start.settings, "false"),
		{sql: commitSQL},
	}
}

// restoreUser returns the call that takes back user and role for the rest of a transaction. The
// user comes first: a new one has no role.
func restoreUser(start sessionStart) call {
	return setConfig(start.settings[:min(2, len(start.settings))], "true")
}

func setConfig(settings []setting, local string) call {
	var sets []string
	for _, s := range settings {
		sets = append(sets, "set_config("+literal(s.name)+", "+literal(s.value)+", "+local+")")
	}
	return call{sql: "select " + strings.Join(sets, ", ")}
}

// script returns calls without arguments as one text.
func script(calls []call) string {
	var b strings.Builder
	for _, c := range calls {
		b.WriteString(c.sql + ";")
	}
	return b.String()
}
