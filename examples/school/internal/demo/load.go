package demo

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/erp"
)

// Role is the role of a user of a school.
type Role = erp.Role

// One user of each role can log in.
const (
	Admin   = erp.RoleAdmin
	Teacher = erp.RoleTeacher
	Parent  = erp.RoleParent
	Student = erp.RoleStudent
)

// Roles lists the roles of the users who can log in, in the order in which they are shown.
var Roles = []Role{Admin, Teacher, Parent, Student}

// Address returns the e-mail address of the user with the role at the school.
func Address(slug string, role Role) string { return string(role) + "@" + slug + ".example" }

// Load fills a school with its data. It does nothing if the school already has students. tx is a
// transaction in the school's schema; the data is complete or absent when it ends. password returns
// the password of an address.
func Load(ctx context.Context, tx pgx.Tx, s School, password func(address string) string) error {
	var any bool
	// Lock the table, so that of two programs that start at the same time the second finds the rows of
	// the first.
	if _, err := tx.Exec(ctx, "lock table students in share row exclusive mode"); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, "select exists (select from students)").Scan(&any); err != nil || any {
		return err
	}
	ctx = erp.NewContext(ctx, erp.System())
	users, names := make(map[Role]int64), write(s, nil).names()
	for _, role := range Roles {
		address := Address(s.Slug, role)
		user, err := erp.NewUsers(tx).Create(ctx, erp.NewUser{Email: address, Name: names[role], Role: role})
		if err == nil {
			err = erp.NewUsers(tx).SetPassword(ctx, user.ID, password(address))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		users[role] = user.ID
	}
	return copyTables(ctx, tx, write(s, users))
}

// refers maps a column to the table that it references.
var refers = map[string]string{
	"class_id": "classes", "teacher_id": "teachers", "student_id": "students", "parent_id": "parents",
	"fee_structure_id": "fee_structures", "fee_id": "fees",
}

// copyTables copies the rows. It replaces their ids, which begin at 1, by ids from the database's
// sequences.
func copyTables(ctx context.Context, tx pgx.Tx, all tables) error {
	before := make(map[string]int64) // by table: the last id before the reserved ones
	for _, t := range all {
		if t.columns[0] == "id" {
			n, err := reserve(ctx, tx, t)
			if err != nil {
				return fmt.Errorf("numbers of %s: %w", t.name, err)
			}
			before[t.name] = n
		}
		for i, column := range t.columns {
			of := refers[column]
			if column == "id" {
				of = t.name
			}
			for _, row := range t.rows {
				if id, ok := row[i].(int64); ok && of != "" {
					row[i] = id + before[of]
				}
			}
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// reserve takes one id per row from the table's sequence, and returns the id before the first. The
// ids are consecutive, because no other transaction uses the sequence yet.
func reserve(ctx context.Context, tx pgx.Tx, t table) (before int64, err error) {
	err = tx.QueryRow(ctx, `select min(id) - 1 from (
		select nextval(pg_get_serial_sequence($1, 'id')) as id from generate_series(1, $2)) numbers`,
		t.name, len(t.rows)).Scan(&before)
	return before, err
}
