package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oryne/pgtenant/schemactx"
)

// SetupReport says what [Setup] did.
type SetupReport struct {
	Roles   schemactx.RoleNames
	Actions []Action // roles, membership, rights, the schema of extensions, passwords

	Extensions []ExtensionAction // those of [SetupConfig], in its order
}

// Changed reports whether anything was made now. A password is set, and so changes, each time that
// it is given.
func (r SetupReport) Changed() bool {
	return changed(r.Actions) ||
		slices.ContainsFunc(r.Extensions, func(a ExtensionAction) bool { return a.Outcome == ActionDone })
}

// Complete reports whether the server has refused nothing: [SetupReport.Err] is nil. A schema of
// [SetupConfig].ExtraSearchPath that does not exist yet is no refusal.
func (r SetupReport) Complete() bool { return r.Err() == nil }

// Err returns a [PrivilegeError] for each action that the server refused to the administrator's
// login, and an [ExtensionError] for each extension that the database does not have now, joined, or
// nil.
func (r SetupReport) Err() error {
	var errs []error
	for _, a := range r.Actions {
		errs = append(errs, a.Err)
	}
	for _, a := range r.Extensions {
		if a.Outcome == ActionImpossible {
			errs = append(errs, &ExtensionError{Name: a.Name, Err: a.Err})
		}
	}
	return errors.Join(errs...)
}

// PrivilegeError says what [Setup] could not do because the server refused it to the
// administrator's login, and which roles can do it. [SetupReport.Err] returns it.
type PrivilegeError struct {
	Login     string   // that Setup was called with
	Statement string   // to be run by one of By; without the password, if it sets one
	Missing   string   // what Login lacks: `ownership of database "app"`, "CREATEROLE"; "": the message of Err says it
	By        []string // roles that can run Statement, superusers not among them; none: only a superuser can
	Err       error    // the server's answer, a *pgconn.PgError; nil where it only warned
}

// Error returns the statement, what is missing, and who can run it.
func (e *PrivilegeError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "role %q cannot run: %s", e.Login, e.Statement)
	if e.Missing != "" {
		fmt.Fprintf(&b, ": it lacks %s; ", e.Missing)
		if len(e.By) > 0 {
			quoted := make([]string, len(e.By))
			for i, role := range e.By {
				quoted[i] = fmt.Sprintf("%q", role)
			}
			fmt.Fprintf(&b, "%s or a superuser can run it", strings.Join(quoted, ", "))
		} else {
			b.WriteString("a superuser can run it")
		}
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap lets errors.As find the server's error.
func (e *PrivilegeError) Unwrap() error { return e.Err }
