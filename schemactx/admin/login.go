package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// ProvisionLogin does what [Provision] does, with the same errors, and lets the tenant's role log
// in with the password, which has to be printable ASCII; see [schemactx.LoginPassword]. The role is
// a login of its own, NOINHERIT, and gets CONNECT on the database where PUBLIC does not have it.
// The runtime login stays a member of the role, so that the schema can be reached both ways.
//
// It is one transaction, which ctx governs, and can be run again, which sets the password anew and
// reports that as done, as nobody can see what it was; connections that are open stay open.
// [Provision] leaves the login as it is: it never takes LOGIN or the password from a role. The
// password is sent as a SCRAM-SHA-256 verifier.
//
// A tenant who controls whole statements can change the role's own password and settings
// (ALTER ROLE), as PostgreSQL lets every role do: running it again repairs the password.
func ProvisionLogin(
	ctx context.Context,
	owner Beginner,
	roles schemactx.RoleNames,
	schema, password string,
) (ProvisionReport, error) {
	if err := roles.ValidateSchema(schema); err != nil {
		return ProvisionReport{}, err
	}
	if password == "" {
		return ProvisionReport{}, fmt.Errorf("provision login of schema %q: password is empty", schema)
	}
	verifier, err := scramVerifier(password) // which takes milliseconds: before the transaction
	if err != nil {
		return ProvisionReport{}, fmt.Errorf("provision login of schema %q: %w", schema, err)
	}
	report, err := provision(ctx, owner, roles, schema, func(role string, st tenantState) ([]change, error) {
		return loginChanges(role, verifier, st)
	})
	if err != nil {
		return ProvisionReport{}, fmt.Errorf("provision login of schema %q: %w", schema, err)
	}
	return report, nil
}

// loginWishes lets the role log in and connect. It must be able to connect: a grant without the
// right to grant would be a warning only, and one that is not needed would stand in the way of
// DROP ROLE.
func loginChanges(role, verifier string, st tenantState) ([]change, error) {
	if !st.connect && !st.grantConnect {
		return nil, errors.New("the owner may not grant CONNECT on the database: run Setup again, which lets it")
	}
	quoted, err := schemactx.QuoteName(role)
	if err != nil {
		return nil, err
	}
	password, err := passwordChange(role, verifier)
	if err != nil {
		return nil, err
	}
	changes := []change{
		password,
		{sql: []string{"alter role " + quoted + " login noinherit"}, done: st.canLogin && !st.inherits},
	}
	if !st.connect {
		changes = append(
			changes,
			change{sql: []string{"grant connect on database " + pgx.Identifier{st.database}.Sanitize() + " to " + quoted}},
		)
	}
	return changes, nil
}
