package erp_test

import (
	"fmt"
	"time"

	"github.com/oryne/pgtenant/erp"
)

// A structure defines the fee of every student of a class. Generate creates the missing fees, so it
// can be called again after more students have joined.
func ExampleFees_Generate() {
	s, done := newSchools()
	defer done()
	ctx := s.Context("schoola")

	class, err := erp.NewClasses(s.DB).Create(ctx, erp.NewClass{Name: "7", Section: "b", Year: 2026})
	orPanic(err)
	structure, err := erp.NewFeeStructures(s.DB).Create(ctx, erp.NewFeeStructure{
		ClassID: class.ID, Name: "Tuition", Term: "Autumn", AmountMinor: 250_00, Currency: "EUR",
	})
	orPanic(err)
	for _, name := range []string{"Amara", "Bruno"} {
		_, err := erp.NewStudents(s.DB).
			Create(ctx, erp.NewStudent{AdmissionNumber: name, FirstName: name, LastName: "Okafor", ClassID: &class.ID})
		orPanic(err)
		generated, err := erp.NewFees(s.DB).
			Generate(ctx, structure.ID, erp.Generation{DueOn: erp.NewDate(2100, time.January, 31)})
		orPanic(err)
		fmt.Println(len(generated.Created), "made,", len(generated.Existing), "there:", generated.Created[0].Owed())
	}

	// Output:
	// 1 made, 0 there: 250.00 EUR
	// 1 made, 1 there: 250.00 EUR
}
