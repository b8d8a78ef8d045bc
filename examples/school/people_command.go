package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// newUser returns the command that adds the first administrator to a school that was created by a
// command.
func newUser(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use:     "admin SCHOOL ADDRESS",
		Short:   "Add an administrator to a school; asks for the password, or reads it from standard input",
		Args:    cobra.ExactArgs(2),
		Example: "  $0 admin lakeside head@lakeside.example",
	}, func(cmd *cobra.Command, p *platform, args []string) error {
		ctx := cmd.Context()
		school, err := p.tenants.BySlug(ctx, args[0])
		if err != nil {
			return err
		}
		password, err := readPassword(cmd)
		if err != nil {
			return err
		}
		hash, err := erp.HashPassword(ctx, password)
		if err != nil {
			return err
		}
		//tenantvet:allow tenantswitch a command, by which an operator names the school
		err = schemactx.WithSchema(ctx, school.Schema, func(ctx context.Context) error {
			return p.db.InTx(ctx, func(tx pgx.Tx) error { return schools.AddAdmin(ctx, tx, args[1], hash) })
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s administers %s.\n", args[1], school.Slug)
		return p.log.Write(ctx, audit.Entry{
			Tenant: school.ID, Slug: school.Slug, Schema: school.Schema, Action: audit.Configuration,
			Details: map[string]any{"administrator": args[1]},
		})
	})
}

// readPassword reads the password from a terminal without echo, or otherwise one line of standard
// input.
func readPassword(cmd *cobra.Command) (string, error) {
	if in, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
		password, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(password), err
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
