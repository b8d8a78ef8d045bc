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
	Actions []Action // roles, membership, privileges, the schema of extensions, passwords

	Extensions []ExtensionAction // those of [SetupConfig], in its order
}

// Changed reports whether this run changed anything. A password is set, and so counts as a change,
// each time that it is given.
func (r SetupReport) Changed() bool {
	return changed(r.Actions) ||
		slices.ContainsFunc(r.Extensions, func(a ExtensionAction) bool { return a.Outcome == ActionDone })
}

// Complete reports whether [SetupReport.Err] is nil, that is, whether the server has refused
// nothing. A schema of [SetupConfig].ExtraSearchPath that does not exist yet is not a refusal.
func (r SetupReport) Complete() bool { return r.Err() == nil }

// Err returns, joined, a [PrivilegeError] for each action that the server refused to the
// administrator's login, and an [ExtensionError] for each extension that the database does not
// have. It returns nil if there are none.
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

// PrivilegeError is an action of [Setup] that the server refused to the administrator's login. It
// says which roles can do it. [SetupReport.Err] returns it.
type PrivilegeError struct {
	Login     string   // the login that ran Setup
	Statement string   // one of By can run it; without the password, if it sets one
	Missing   string   // what Login lacks: `ownership of database "app"`, "CREATEROLE"; "": see the message of Err
	By        []string // roles that can run Statement, without superusers; empty: only a superuser can
	Err       error    // the server's error, a *pgconn.PgError; nil if the server only warned
}

// Error returns the statement, what is missing, and which roles can run it.
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
