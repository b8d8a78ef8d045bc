package migrate

import (
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// setting is one setting of a session.
type setting struct{ name, value string }

// sessionStart are the settings of a session before a migration ran on it.
type sessionStart struct {
	read     bool
	triggers bool      // event triggers are enabled: each statement that changes a schema calls functions
	settings []setting // user, role, and what the pool's hooks have set
}

// sessionQuery reads the start of a session. It leaves out the settings of the connection itself,
// which RESET ALL does not change. Custom settings of a program are not in pg_settings.
const (
	sessionQuery = `select '', exists (select from pg_event_trigger where evtenabled <> 'D')::text
		union all select 'session_authorization', current_setting('session_authorization')
		union all select 'role', current_setting('role')`
	hookedQuery = sessionQuery + ` union all select name, setting from pg_settings
		where source = 'session' and context in ('user', 'superuser') and name not like 'transaction\_%'`
)

// hooked reports whether the pool has hooks that may change settings of its connections.
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

// clean returns the calls that remove from a session what a migration may have left on it, between
// two transactions. The next file and the next schema then begin as on a new connection. The text
// of a statement does not say what the functions do that it calls, so all of it is done after every
// step that may change its session. The calls are a transaction of their own, because functions
// that run at COMMIT must have run before, and because otherwise the next BEGIN in the same message
// would be in the same transaction. Advisory locks are not released: one of them is the runner's,
// and they end with the connection.
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

// restoreUser returns the call that restores user and role for the rest of a transaction. It sets
// the user first, because a new user resets the role.
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
