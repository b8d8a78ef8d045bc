package erp

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// MaxImportRows is the largest number of students in one import.
const MaxImportRows = 10_000

// maxRowErrors is the largest number of errors in a report.
const maxRowErrors = 1000

// ImportOptions are the options of [Students.Import].
type ImportOptions struct {
	DryRun bool // check the file and create nothing
}

// ImportReport is the result of an import. The students are created if Errors is empty and it was
// not a dry run.
type ImportReport struct {
	Rows    int        `json:"rows"`    // rows read, without the header
	Created int        `json:"created"` // all of them or none
	DryRun  bool       `json:"dry_run"`
	Errors  []RowError `json:"errors"`            // by line, up to 1000
	Omitted int        `json:"omitted,omitempty"` // the number of further errors
}

// RowError is one error in a row.
type RowError struct {
	Line  int    `json:"line"`            // in the file, from 1; a quoted field can span several lines
	Field string `json:"field,omitempty"` // the column, if the error is in one column
	Rule  string `json:"detail"`          // as the end of a sentence: "is empty"
}

func (r *ImportReport) add(line int, field, rule string) {
	if len(r.Errors) == maxRowErrors {
		r.Omitted++
		return
	}
	r.Errors = append(r.Errors, RowError{Line: line, Field: field, Rule: rule})
}

// finish returns the report with its errors sorted by line. They were found one kind after the
// other.
func (r *ImportReport) finish() ImportReport {
	slices.SortStableFunc(r.Errors, func(a, b RowError) int { return a.Line - b.Line })
	if r.Errors == nil {
		r.Errors = []RowError{}
	}
	return *r
}

// Import admits the students of a CSV file (RFC 4180, UTF-8, with or without a byte order mark),
// all of them or none. The first row names the columns, in any order:
//
//	admission_number, first_name, last_name   required
//	date_of_birth                             2006-01-02 or empty
//	class_id                                  or
//	class, section, year                      the class by its names; all empty for no class
//
// Invalid rows are listed in the report and are not an error. If there are any, Import writes
// nothing. Errors are those of file, of ctx, of the database, and of [Students.Create]. The error
// is an [InputError] with Conflict if a concurrent request has added a student with one of the
// admission numbers. Import reads file to the end, up to [MaxImportRows], before it writes.
func (s Students) Import(ctx context.Context, file io.Reader, o ImportOptions) (ImportReport, error) {
	a, err := mayChange(ctx, s.entity)
	if err == nil {
		err = s.checkSession(ctx, a.viewer) // otherwise the report would say that no class exists
	}
	if err != nil {
		return ImportReport{}, s.failed("import", err)
	}
	report := &ImportReport{DryRun: o.DryRun}
	rows, err := readStudents(file, report)
	if err != nil {
		return ImportReport{}, fmt.Errorf("import students: %w", err)
	}
	err = s.findClasses(ctx, rows, report)
	if err == nil {
		err = s.findTaken(ctx, rows, report)
	}
	if err == nil && len(report.Errors) == 0 && len(rows) > 0 && !o.DryRun {
		report.Created, err = s.insertAll(ctx, rows)
	}
	if err != nil {
		return ImportReport{}, s.failed("import", err)
	}
	return report.finish(), nil
}

// findClasses looks up the classes of all rows in one statement, and gives each row the id of its
// class.
func (s Students) findClasses(ctx context.Context, rows []studentRow, report *ImportReport) error {
	var names, sections []string
	var years []int32
	for _, r := range rows {
		if r.class != (NewClass{}) {
			names = append(names, r.class.Name)
			sections = append(sections, r.class.Section)
			years = append(years, int32(r.class.Year))
		}
	}
	var ids []int64
	for _, r := range rows {
		if r.student.ClassID != nil {
			ids = append(ids, *r.student.ClassID)
		}
	}
	if len(names) == 0 && len(ids) == 0 {
		return nil
	}
	a, err := mayRead(ctx, classEntity)
	if err != nil {
		return err
	}
	classes, err := NewClasses(s.db).query(ctx, a, `
		select `+classColumns+` from classes
		where (classes.id = any(@ids::bigint[])
				or (classes.name, section, year) in (select * from unnest(@names::text[], @sections::text[], @years::int[])))
			and `+a.visible(), pgx.StrictNamedArgs{"ids": ids, "names": names, "sections": sections, "years": years})
	if err != nil {
		return err
	}
	byID, byName := map[int64]bool{}, map[NewClass]int64{}
	for _, c := range classes {
		byID[c.ID], byName[NewClass{c.Name, c.Section, c.Year}] = true, c.ID
	}
	for i, r := range rows {
		switch id, named := byName[r.class]; {
		case r.student.ClassID != nil && !byID[*r.student.ClassID]:
			report.add(r.line, "class_id", "is no class of this school")
		case r.class != (NewClass{}) && !named:
			report.add(r.line, "class", "is no class of this school")
		case named:
			rows[i].student.ClassID = &id
		}
	}
	return nil
}

// findTaken refuses the rows whose admission number a student or an earlier row has.
func (s Students) findTaken(ctx context.Context, rows []studentRow, report *ImportReport) error {
	first := make(map[string]int, len(rows))
	numbers := make([]string, 0, len(rows))
	for _, r := range rows {
		number := r.student.AdmissionNumber
		if number == "" {
			continue // the row was refused when it was read
		}
		if line, ok := first[number]; ok {
			report.add(r.line, "admission_number", fmt.Sprintf("is that of line %d too", line))
			continue
		}
		first[number] = r.line
		numbers = append(numbers, strings.ToValidUTF8(strings.ReplaceAll(number, "\x00", ""), "")) // refused, too
	}
	a, err := mayRead(ctx, s.entity)
	if err != nil {
		return err
	}
	taken, err := s.query(ctx, a, "select "+studentColumns+
		" from students where admission_number = any(@numbers::text[]) and "+a.visible(),
		pgx.StrictNamedArgs{"numbers": numbers})
	if err != nil {
		return err
	}
	for _, student := range taken {
		if line, ok := first[student.AdmissionNumber]; ok {
			report.add(line, "admission_number", "is taken by another student")
		}
	}
	return nil
}

// insertAll creates the students in one statement, so that all or none are created.
func (s Students) insertAll(ctx context.Context, rows []studentRow) (int, error) {
	var (
		numbers, firsts, lasts = make([]string, len(rows)), make([]string, len(rows)), make([]string, len(rows))
		births                 = make([]*Date, len(rows))
		classes                = make([]*int64, len(rows))
	)
	for i, r := range rows {
		numbers[i], firsts[i], lasts[i] = r.student.AdmissionNumber, r.student.FirstName, r.student.LastName
		births[i], classes[i] = r.student.DateOfBirth, r.student.ClassID
	}
	a, err := mayChange(ctx, s.entity)
	if err != nil {
		return 0, err
	}
	ids, err := collect(ctx, s.db, a, pgx.RowTo[int64], `
		insert into students (admission_number, first_name, last_name, date_of_birth, class_id)
		select * from unnest(@numbers::text[], @firsts::text[], @lasts::text[], @births::date[], @classes::bigint[])
		where `+a.session()+` returning students.id`,
		pgx.StrictNamedArgs{"numbers": numbers, "firsts": firsts, "lasts": lasts, "births": births, "classes": classes})
	if err == nil && len(ids) == 0 {
		err = ErrSessionOver
	}
	return len(ids), err
}
