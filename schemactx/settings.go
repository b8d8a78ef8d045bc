package schemactx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/postgres"
	"github.com/oryne/pgtenant/internal/sqlstate"
)

type settingsKey struct{}

// settingsContext carries settings as [scopeContext] carries a schema.
type settingsContext struct {
	context.Context
	settings *settings
}

func (c *settingsContext) Value(key any) any {
	if key == (settingsKey{}) {
		return c.settings
	}
	return c.Context.Value(key)
}

// WithSettings returns a child of ctx whose units of work run with these PostgreSQL settings, by
// name: a timeout, or a name with a dot that triggers, policies and defaults read with
// current_setting('app.user_id').
//
// A unit of work is a statement, a batch, a copy or a transaction. Its settings are sent in the
// same round trip as its scope and end with it, at every level. A transaction keeps the settings
// that it began with, through its savepoints, until it ends. The settings of ctx apply as well; for
// a name in both, the inner value wins. A timeout that is also in the tenant's [Limits] can only be
// shortened: the shorter value applies.
//
// The settings are copied. They are checked when they are used: a [SettingError] says why a setting
// cannot be one of a unit of work, such as role or search_path, and nothing is sent. A setting that
// the server refuses is a [ScopeError] of the kind [ErrSettingRefused]. Values are sent as
// parameters, and as quoted literals by [DB.CopyFrom] and at level [Logins].
//
// A tenant that controls the text of its statements can overwrite a setting for the rest of its
// unit of work. It can also set one for its own later units of work that do not set it, but not for
// another tenant's. admin.Harden prevents both, because it revokes set_config. Without it, do not
// base privileges on a setting.
//
// After a name with a dot has been set on a connection, PostgreSQL keeps the name with an empty
// value. If it is not set, current_setting('app.user_id', true) is therefore NULL or "".
func WithSettings(ctx context.Context, settings map[string]string) context.Context {
	return &settingsContext{Context: ctx, settings: settingsOf(ctx).with(settings)}
}

// settings are the settings of [WithSettings] and [TxOptions]. nil means none. Immutable.
type settings struct {
	values map[string]string // by name in lower case
	err    error             // why they cannot be used
	params [][]byte          // of settingsSQL
}

func settingsOf(ctx context.Context) *settings {
	s, _ := ctx.Value(settingsKey{}).(*settings)
	return s
}

// settingsSQL sets all settings of a unit of work. It is sent before the scope, while the role is
// still the login's, because after admin.Harden the tenant's role may not call set_config. The
// statement is the same for all names, so a connection prepares it once.
const settingsSQL = "select pg_catalog.bool_and(pg_catalog.set_config(name, value, true) is not null) " +
	"from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) as s(name, value)"

// with returns these settings together with more, which override them.
func (s *settings) with(more map[string]string) *settings {
	if len(more) == 0 {
		return s
	}
	all := &settings{values: make(map[string]string, len(more))}
	if s != nil {
		all.err = s.err
		maps.Copy(all.values, s.values)
	}
	given := make(map[string]bool, len(more))
	for _, name := range slices.Sorted(maps.Keys(more)) { // sorted, so that the error is always the same
		lower := strings.ToLower(name)
		err := checkSetting(name, lower, more[name])
		if err == nil && given[lower] {
			err = &SettingError{Name: name, Rule: "is there twice: upper and lower case are one"}
		}
		if err != nil && all.err == nil {
			all.err = err
		}
		given[lower], all.values[lower] = true, more[name]
	}
	var names, values []string
	for _, name := range slices.Sorted(maps.Keys(all.values)) {
		names, values = append(names, name), append(values, all.values[name])
	}
	all.params = [][]byte{textArray(names), textArray(values)}
	return all
}

// within reports whether all settings of s are in outer, with the same values.
func (s *settings) within(outer *settings) bool {
	if s == nil || s == outer {
		return true
	}
	if outer == nil {
		return len(s.values) == 0
	}
	for name, value := range s.values {
		if has, ok := outer.values[name]; !ok || has != value {
			return false
		}
	}
	return true
}

// refusedSettings are settings that a unit of work cannot have, each with the reason.
var refusedSettings = map[string]string{
	"role":                           "is set by the scope",
	"search_path":                    "is set by the scope",
	"session_authorization":          "is set by the scope",
	"is_superuser":                   "is set by the scope",
	"session_replication_role":       "would turn triggers and foreign keys off",
	"client_encoding":                "belongs to the connection: the driver depends on it",
	"standard_conforming_strings":    "belongs to the connection: the driver depends on it",
	"backslash_quote":                "belongs to the connection: the driver depends on it",
	"transaction_isolation":          "is decided by BEGIN: see TxOptions",
	"transaction_read_only":          "is decided by BEGIN: see TxOptions",
	"transaction_deferrable":         "is decided by BEGIN: see TxOptions",
	"default_transaction_isolation":  "is decided by BEGIN: see TxOptions",
	"default_transaction_read_only":  "is decided by BEGIN: see TxOptions",
	"default_transaction_deferrable": "is decided by BEGIN: see TxOptions",
	"seed":                           "does not end with the transaction",
	"exit_on_error":                  "would end the session",
}

const maxSettingName = 255

func checkSetting(name, lower, value string) error {
	switch {
	case !isSettingName(name):
		return &SettingError{Name: name, Rule: "is not the name of a setting"}
	case refusedSettings[lower] != "":
		return &SettingError{Name: name, Rule: refusedSettings[lower]}
	case strings.ContainsRune(value, 0):
		return &SettingError{Name: name, Rule: "has a value with a NUL character in it"}
	case !utf8.ValidString(value):
		return &SettingError{Name: name, Rule: "has a value that is not UTF-8"}
	}
	return nil
}

// isSettingName reports whether name is one identifier, or several separated by dots.
func isSettingName(name string) bool {
	if len(name) > maxSettingName {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || '0' <= part[0] && part[0] <= '9' ||
			strings.ContainsFunc(part, func(c rune) bool { return !inSettingName(c) }) {
			return false
		}
	}
	return true
}

// inSettingName reports whether a name may contain c. It allows ASCII only, so that lower case
// means the same to Go and to the server.
func inSettingName(c rune) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkSettings returns an error if a unit of work in the scope cannot have these settings.
func (db *DB) checkSettings(s *settings, sc *scope) error {
	if s == nil {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	if _, ok := s.values["application_name"]; ok && sc.nameParam > 0 {
		return &SettingError{Name: "application_name", Rule: "names the tenant in the server's log"}
	}
	for name := range sc.limits.settings() {
		if value, ok := s.values[name]; ok {
			if _, err := parseTimeout(value); err != nil {
				rule := fmt.Sprintf("has the value %q, which cannot be compared with the tenant's limit", value)
				return &SettingError{Name: name, Rule: rule}
			}
		}
	}
	return nil
}

// bounded returns the value of a timeout for which the tenant has a limit: the shorter of the two.
func (s *settings) bounded(name, limit string) string {
	if s == nil {
		return limit
	}
	value, ok := s.values[name]
	if !ok {
		return limit
	}
	ms, err := parseTimeout(value)
	if most, _ := parseTimeout(limit); err == nil && 0 < ms && ms < most {
		return strconv.FormatInt(ms, 10)
	}
	return limit
}

// timeoutUnits are PostgreSQL's units of time, in microseconds. A number without a unit is in
// milliseconds.
var timeoutUnits = map[string]float64{
	"us": 1, "": 1e3, "ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6, "d": 86400e6,
}

// parseTimeout parses a timeout as PostgreSQL does, a decimal number and a unit. It returns
// milliseconds, rounded up because 0 would mean no timeout.
func parseTimeout(value string) (int64, error) {
	value = strings.TrimSpace(value)
	end := strings.LastIndexAny(value, "0123456789.") + 1
	factor, ok := timeoutUnits[strings.TrimSpace(value[end:])]
	n, err := strconv.ParseFloat(value[:end], 64)
	if err != nil || !ok || n < 0 || n > 1e12 {
		return 0, fmt.Errorf("%q is not a timeout", value)
	}
	us := n * factor
	ms := int64(us / 1e3)
	if float64(ms)*1e3 < us {
		ms++
	}
	return ms, nil
}

// settingsStatements returns the statements that set the settings of the unit.
func (u *unitOfWork) settingsStatements() prologue {
	switch {
	case u.settings == nil || len(u.settings.values) == 0:
		return nil
	case !u.scope.login:
		return prologue{{stepSettings, settingsSQL, u.settings.params}}
	}
	// The tenant is logged in with its own role, which may lack the privilege to call set_config. SET
	// LOCAL needs no privilege, but takes no parameters.
	limits := maps.Collect(u.scope.limits.settings())
	var f prologue
	for _, name := range slices.Sorted(maps.Keys(u.settings.values)) {
		value := u.settings.values[name]
		if limit, ok := limits[name]; ok {
			value = u.settings.bounded(name, limit)
		}
		f = append(f, internalStmt{step: stepSettings, sql: "set local " + quoteSetting(name) + " = " + quoteValue(value)})
	}
	return f
}

// settingsNeedBlock reports whether a statement needs a transaction block for its settings. SET
// LOCAL outside of one only warns.
func (u *unitOfWork) settingsNeedBlock() bool { return u.settings != nil && u.scope.login }

// preparePrologue returns the prologue for preparing statements. Without a transaction block it has
// no SET LOCAL.
func (u *unitOfWork) preparePrologue(tx *txState) prologue {
	f := u.prologue(tx, false)
	if tx == nil && u.settingsNeedBlock() {
		return slices.DeleteFunc(f, func(o internalStmt) bool { return o.step == stepSettings })
	}
	return f
}

// trySettings sets the settings in a separate transaction and returns the error if the server
// refuses them.
func (u *unitOfWork) trySettings(ctx context.Context) error {
	_, err := u.conn.PgConn().Exec(ctx, beginSQL+"; "+u.settingsStatements().simple()).ReadAll()
	if u.status() != 'I' {
		if rollbackErr := u.rollback(ctx); err == nil {
			err = rollbackErr
		}
	}
	if err != nil {
		return u.settingsRefused(err)
	}
	return nil
}

// settingsRefused returns a [ScopeError] that says why the server refused the settings.
func (u *unitOfWork) settingsRefused(err error) error {
	e := &ScopeError{Schema: u.scope.schema, Err: err}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		switch pgErr.Code {
		case sqlstate.InvalidParameter,
			sqlstate.UndefinedObject,
			sqlstate.InvalidName,
			sqlstate.InsufficientRights,
			sqlstate.CannotChangeNow,
			sqlstate.FeatureUnsupported:
			e.Kind = ErrSettingRefused
		}
	}
	return e
}

// quoteSetting quotes a name that has been checked.
func quoteSetting(name string) string { return `"` + strings.ReplaceAll(name, ".", `"."`) + `"` }

// quoteValue quotes a value, for any value of standard_conforming_strings.
func quoteValue(value string) string {
	if !strings.Contains(value, `\`) {
		return postgres.QuoteLiteral(value)
	}
	return " E" + postgres.QuoteLiteral(strings.ReplaceAll(value, `\`, `\\`))
}
