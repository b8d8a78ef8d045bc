package erp_test

import (
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/erp"
)

// A file of students is imported as a whole or not at all. The report lists the errors by line.
func ExampleStudents_Import() {
	s, done := newSchools()
	defer done()
	ctx := s.Context("schoola")
	_, err := erp.NewClasses(s.DB).Create(ctx, erp.NewClass{Name: "7", Section: "b", Year: 2026})
	orPanic(err)

	file := `admission_number,first_name,last_name,date_of_birth,class,section,year
A-001,Amara,Okafor,2014-03-01,7,b,2026
A-002,Bruno,Keller,2014-13-01,7,b,2026
A-003,Chandra,Iyer,,8,,2026
`
	students := erp.NewStudents(s.DB)
	report, err := students.Import(ctx, strings.NewReader(file), erp.ImportOptions{})
	orPanic(err)
	fmt.Println(report.Rows, "rows,", report.Created, "created")
	for _, e := range report.Errors {
		fmt.Printf("line %d: %s %s\n", e.Line, e.Field, e.Rule)
	}

	file = strings.NewReplacer("-13-", "-12-", "8,,2026", ",,").Replace(file)
	report, err = students.Import(ctx, strings.NewReader(file), erp.ImportOptions{})
	orPanic(err)
	fmt.Println(report.Rows, "rows,", report.Created, "created")

	// Output:
	// 3 rows, 0 created
	// line 3: date_of_birth is not a day like 2006-01-02
	// line 4: class is no class of this school
	// 3 rows, 3 created
}
