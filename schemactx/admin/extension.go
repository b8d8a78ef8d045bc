package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/sqlstate"

	"github.com/oryne/pgtenant/schemactx"
)

// DefaultExtensionSchema is where [Setup] puts extensions: a schema of their own can be on the path
// of every tenant without the registry's tables, which are in public.
const DefaultExtensionSchema = "extensions"

// withDefaults returns the configuration with its defaults, or what is wrong with it.
func (c SetupConfig) withDefaults() (SetupConfig, error) {
	c.ExtensionSchema = cmp.Or(c.ExtensionSchema, DefaultExtensionSchema)
	if _, err := schemactx.SearchPath(schemactx.Public, c.ExtraSearchPath); err != nil {
		return c, err
	}
	for i, name := range c.Extensions {
		if _, err := schemactx.QuoteName(name); err != nil {
			return c, &ExtensionError{Name: name, Err: err}
		}
		if slices.Contains(c.Extensions[:i], name) {
			return c, &ExtensionError{Name: name, Err: errors.New("is named twice")}
		}
	}
	_, err := quoteShared(c.ExtensionSchema)
	return c, err
}

// quoteShared quotes the name of a schema that is on the path of every tenant.
func quoteShared(name string) (string, error) {
	if _, err := schemactx.SearchPath(schemactx.Public, []string{name}); err != nil {
		return "", err
	}
	return schemactx.QuoteName(name)
}

// sharedSchemas returns the schemas that every tenant needs USAGE on.
func (c SetupConfig) sharedSchemas() []string {
	schemas := slices.Clone(c.ExtraSearchPath)
	if len(c.Extensions) > 0 && !slices.Contains(schemas, c.ExtensionSchema) {
		schemas = append(schemas, c.ExtensionSchema)
	}
	return schemas
}

// setupSchemas makes the schema of extensions and lets everybody use the shared schemas. The grants
// are PUBLIC's: one for each tenant's role would make the schema's row as long as there are
// tenants, and each new tenant would change it.
func setupSchemas(ctx context.Context, tx pgx.Tx, cfg SetupConfig, database string) ([]Action, error) {
	var actions []Action
	var rights []right
	for _, schema := range cfg.sharedSchemas() {
		var there bool
		if err := tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", schema).
			Scan(&there); err != nil {
			return nil, err
		}
		quoted, err := quoteShared(schema)
		if err != nil {
			return nil, err
		}
		switch ofExtensions := len(cfg.Extensions) > 0 && schema == cfg.ExtensionSchema; {
		case ofExtensions:
			sql := "create schema " + quoted
			statements, err := asOwner(ctx, tx, "", sql)
			if err != nil {
				return nil, err
			}
			makeSchema := change{what: sql, sql: statements, done: there}
			made, err := attempt(ctx, tx, []refusableChange{{makeSchema, createOnDatabase(database)}})
			if err != nil {
				return nil, err
			}
			actions = append(actions, made...)
			if made[0].Outcome == ActionImpossible {
				continue
			}
		case !there: // the shared migrations may make it
			actions = append(
				actions,
				Action{What: "grant USAGE on schema " + quoted + " to public, which does not exist yet", Outcome: ActionImpossible},
			)
			continue
		}
		rights = append(rights,
			right{privilege: "USAGE", schema: schema},
			right{privilege: "CREATE", schema: schema, revoke: true})
	}
	granted, err := bringInOrder(ctx, tx, database, rights)
	return append(actions, granted...), err
}

// ExtensionAction says what became of an extension that [Setup] was to make.
type ExtensionAction struct {
	Name    string
	Schema  string // that it is in; "" where there is none
	Outcome ActionOutcome
	// why it could not be made: a *pgconn.PgError, in a [PrivilegeError] if CREATE on the database is
	// missing; or nil
	Err error
}

// String returns the action as one line for a log.
func (a ExtensionAction) String() string {
	line := fmt.Sprintf("extension %q", a.Name)
	if a.Schema != "" {
		line += fmt.Sprintf(" in schema %q", a.Schema)
	}
	line += ": " + a.Outcome.String()
	if a.Err != nil {
		line += ": " + (&ExtensionError{Name: a.Name, Err: a.Err}).reason()
	}
	return line
}

// ExtensionError says why the database does not have an extension. [SetupReport.Err] returns it,
// and [Setup] for a name that cannot be one.
type ExtensionError struct {
	Name string
	Err  error // that of the [ExtensionAction], or what is wrong with the name
}

// Error returns the name, what to do, and the server's message.
func (e *ExtensionError) Error() string { return fmt.Sprintf("extension %q: %s", e.Name, e.reason()) }

// Unwrap lets errors.As find the server's error.
func (e *ExtensionError) Unwrap() error { return e.Err }

func (e *ExtensionError) reason() string {
	switch {
	case errors.As(e.Err, new(*PrivilegeError)):
	case sqlstate.Is(e.Err, sqlstate.InsufficientRights):
		return "this login may not create it: have a superuser do so, or the provider of the database: " + e.Err.Error()
	case sqlstate.Is(e.Err, sqlstate.UndefinedFile),
		sqlstate.Is(e.Err, sqlstate.FeatureUnsupported) && strings.Contains(e.Err.Error(), "not available"):
		return "it is not installed on the server (Debian: the package postgresql-contrib, or one of its own): " + e.Err.Error()
	}
	return e.Err.Error()
}

// setupExtensions creates the missing extensions, each behind a savepoint, so that a failure does
// not stop the others.
func setupExtensions(ctx context.Context, tx pgx.Tx, cfg SetupConfig, database string) ([]ExtensionAction, error) {
	actions := make([]ExtensionAction, len(cfg.Extensions))
	for i, name := range cfg.Extensions {
		a := ExtensionAction{Name: name, Outcome: ActionAlready}
		var err error
		if a.Schema, err = schemaOfExtension(ctx, tx, name); err != nil {
			return nil, err
		}
		if a.Schema == "" {
			a.Outcome = ActionDone
			if err := createExtension(ctx, tx, name, cfg.ExtensionSchema); err != nil {
				if !refuses(err) {
					return nil, &ExtensionError{Name: name, Err: err}
				}
				a.Outcome = ActionImpossible
				if a.Err, err = whyNoExtension(ctx, tx, cfg, name, database, err); err != nil {
					return nil, err
				}
			} else if a.Schema, err = schemaOfExtension(ctx, tx, name); err != nil {
				return nil, err
			}
		}
		actions[i] = a
	}
	return actions, nil
}

// schemaOfExtension returns the schema that an extension is in, "" where there is none.
func schemaOfExtension(ctx context.Context, tx pgx.Tx, name string) (schema string, err error) {
	err = tx.QueryRow(ctx, `select coalesce((select nspname::text from pg_extension x join pg_namespace n on n.oid = extnamespace
		where extname = $1), '')`, name).
		Scan(&schema)
	return schema, err
}

func createExtension(ctx context.Context, tx pgx.Tx, name, schema string) error {
	sql, err := extensionSQL(name, schema)
	if err != nil {
		return err
	}
	statements, err := asOwner(ctx, tx, "", sql)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return execAll(ctx, tx, statements...) })
}

func extensionSQL(name, schema string) (string, error) {
	quoted, err := schemactx.QuoteName(name)
	if err != nil {
		return "", err
	}
	in, err := schemactx.QuoteName(schema)
	return "create extension " + quoted + " schema " + in + " cascade", err
}

// whyNoExtension returns the server's answer to CREATE EXTENSION. If the extension is a trusted
// one, so that CREATE on the database would do, and the login lacks that, it returns a
// [PrivilegeError].
func whyNoExtension(
	ctx context.Context,
	tx pgx.Tx,
	cfg SetupConfig,
	name, database string,
	answer error,
) (error, error) {
	if !sqlstate.Is(answer, sqlstate.InsufficientRights) {
		return answer, nil
	}
	var lacks bool
	err := tx.QueryRow(ctx, `select not has_database_privilege(current_database(), 'create') and exists (
		select from pg_available_extensions e join pg_available_extension_versions v on v.name = e.name and v.version = e.default_version
		where e.name = $1 and v.trusted)`, name).Scan(&lacks)
	if err != nil || !lacks {
		return answer, err
	}
	sql, err := extensionSQL(name, cfg.ExtensionSchema)
	if err != nil {
		return nil, err
	}
	return refusableChange{change{sql: []string{sql}}, createOnDatabase(database)}.refused(ctx, tx, answer)
}

// refuses reports whether an error is the server's answer to that statement, and not the end of the
// connection, a timeout, a deadlock or a lack of memory or disk.
func refuses(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Severity != "ERROR" || len(pgErr.Code) != 5 {
		return false
	}
	return !slices.Contains([]string{"08", "40", "53", "54", "57", "XX"}, pgErr.Code[:2]) &&
		pgErr.Code != sqlstate.LockNotAvailable
}
