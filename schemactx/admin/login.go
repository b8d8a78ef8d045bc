package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// ProvisionLogin does what [Provision] does, with the same errors, and lets the tenant's role log
// in with the password. The role gets LOGIN and NOINHERIT, and CONNECT on the database if PUBLIC
// does not have it. The password must be printable ASCII and is sent as a SCRAM-SHA-256 verifier;
// see [schemactx.LoginPassword]. The runtime login stays a member of the role, so both logins can
// reach the schema.
//
// It is one transaction, which ctx governs, and can be run again. Each run sets the password and
// reports that as done, because the old password cannot be read. Open connections stay open.
// [Provision] never takes LOGIN or the password from a role.
//
// A tenant who controls whole statements can change the password and the settings of its own role
// (ALTER ROLE), as PostgreSQL allows every role to do. Running ProvisionLogin again restores the
// password.
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
	verifier, err := scramVerifier(password) // takes milliseconds, so before the transaction
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

// loginChanges returns the changes that let the role log in and connect. It returns an error if the
// owner may not grant CONNECT: the server would only warn, and the role could not connect. It
// grants CONNECT only if it is needed, because the grant prevents DROP ROLE.
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
