package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// anonymous holds the replacements for personal data in a clone: `school clone --anonymize`. Keys
// stay, so that references remain valid.
var anonymous = map[backup.Column]backup.Anonymizer{
	{Table: "students", Name: "first_name"}:       always("Student"),
	{Table: "students", Name: "last_name"}:        numbered("No. %d"),
	{Table: "students", Name: "admission_number"}: numbered("X-%04d"),
	{Table: "students", Name: "date_of_birth"}:    nothing,
	{Table: "parents", Name: "name"}:              numbered("Parent No. %d"),
	{Table: "parents", Name: "phone"}:             always(""),
	{Table: "teachers", Name: "name"}:             numbered("Teacher No. %d"),
	{Table: "payments", Name: "reference"}:        always(""), // often the name of the payer
	{Table: "users", Name: "name"}:                always("User"),
	{Table: "users", Name: "email"}:               numbered("user%d@example.invalid"),
	{Table: "users", Name: "password_hash"}:       nothing, // disables all logins
}

// nothing replaces each value by NULL.
var nothing = backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value, error) {
	v.Text, v.Null = "", true
	return v, nil
})

// always replaces each value by the same text.
func always(text string) backup.Anonymizer {
	return backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value, error) {
		v.Text, v.Null = text, false
		return v, nil
	})
}

// numbered replaces each value by a text with a number of its own.
func numbered(format string) backup.Anonymizer {
	var n atomic.Int64
	return backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value, error) {
		v.Text, v.Null = fmt.Sprintf(format, n.Add(1)), false
		return v, nil
	})
}

// subjects exports the data of one student, found by admission number: `school export --subject`.
func (p *platform) subjects() (*backup.SubjectExporter, error) {
	const student = " join students s on s.id = "
	const ofStudent = " where s.admission_number = $1 order by 1"
	return backup.NewSubjectExporter(p.db, backup.SubjectConfig{Logger: p.logger, Queries: []backup.SubjectQuery{
		{Name: "student", SQL: "select s.* from students s" + ofStudent},
		{Name: "class", SQL: "select c.* from classes c join students s on s.class_id = c.id" + ofStudent},
		{
			Name: "parents",
			SQL: "select p.*, sp.relation from parents p " +
				"join student_parents sp on sp.parent_id = p.id" + student + "sp.student_id" + ofStudent,
		},
		{Name: "fees", SQL: "select f.* from fees f" + student + "f.student_id" + ofStudent},
		{
			Name: "payments",
			SQL:  "select p.* from payments p join fees f on f.id = p.fee_id" + student + "f.student_id" + ofStudent,
		},
	}})
}
