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

// DefaultExtensionSchema is the schema in which [Setup] creates extensions by default. It can be on
// the path of every tenant without the registry's tables, which are in public.
const DefaultExtensionSchema = "extensions"

// withDefaults returns the configuration with its defaults, or an error if it is invalid.
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

// quoteShared validates and quotes the name of a schema that is on the path of every tenant.
func quoteShared(name string) (string, error) {
	if _, err := schemactx.SearchPath(schemactx.Public, []string{name}); err != nil {
		return "", err
	}
	return schemactx.QuoteName(name)
}

// sharedSchemas returns the schemas on which every tenant needs USAGE.
func (c SetupConfig) sharedSchemas() []string {
	schemas := slices.Clone(c.ExtraSearchPath)
	if len(c.Extensions) > 0 && !slices.Contains(schemas, c.ExtensionSchema) {
		schemas = append(schemas, c.ExtensionSchema)
	}
	return schemas
}

// setupSchemas creates the schema of extensions and grants USAGE on the shared schemas to PUBLIC.
// With a grant to each tenant's role the catalog row of the schema would grow with the number of
// tenants, and each new tenant would update it.
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
		case !there: // the shared migrations may create it later
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
	granted, err := applyRights(ctx, tx, database, rights)
	return append(actions, granted...), err
}

// ExtensionAction says how [Setup] dealt with an extension of [SetupConfig].
type ExtensionAction struct {
	Name    string
	Schema  string // the schema of the extension; "" if the extension does not exist
	Outcome ActionOutcome
	// Err says why the extension could not be created, else it is nil. It is a *pgconn.PgError, inside
	// a [PrivilegeError] if CREATE on the database is missing.
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

// ExtensionError says why the database does not have an extension. [SetupReport.Err] returns it.
// [Setup] returns it for an invalid name and for an error that ends Setup.
type ExtensionError struct {
	Name string
	Err  error // the Err of the [ExtensionAction], or what is wrong with the name
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
		return "it is not installed on the server (Debian: the package postgresql-contrib, or one of its own): " +
			e.Err.Error()
	}
	return e.Err.Error()
}

// setupExtensions creates the missing extensions, each after a savepoint, so that a failure does
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

// schemaOfExtension returns the schema of an extension, "" if the extension does not exist.
func schemaOfExtension(ctx context.Context, tx pgx.Tx, name string) (schema string, err error) {
	err = tx.QueryRow(ctx, `select coalesce((select nspname::text from pg_extension x join pg_namespace n
		on n.oid = extnamespace
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

// whyNoExtension returns the reason for the Err of an [ExtensionAction]. answer is the server's
// error for CREATE EXTENSION. If the extension is trusted and the login lacks CREATE on the
// database, the reason is a [PrivilegeError]. Otherwise it is answer.
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
		select from pg_available_extensions e join pg_available_extension_versions v on v.name = e.name
			and v.version = e.default_version
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

// refuses reports whether err is the server's refusal of the statement. It returns false if the
// connection ended, and for a timeout, a deadlock, or a lack of memory or disk space.
func refuses(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Severity != "ERROR" || len(pgErr.Code) != 5 {
		return false
	}
	return !slices.Contains([]string{"08", "40", "53", "54", "57", "XX"}, pgErr.Code[:2]) &&
		pgErr.Code != sqlstate.LockNotAvailable
}
