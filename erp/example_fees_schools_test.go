package erp_test

import (
	"context"
	"time"

	"github.com/oryne/pgtenant/erp"
)

// addFee adds a class with one student and a fee of 250.00 EUR.
func (s *schools) addFee(ctx context.Context) erp.Fee {
	class, err := erp.NewClasses(s.DB).Create(ctx, erp.NewClass{Name: "7", Section: "b", Year: 2026})
	orPanic(err)
	_, err = erp.NewStudents(s.DB).
		Create(ctx, erp.NewStudent{AdmissionNumber: "1", FirstName: "Amara", LastName: "Okafor", ClassID: &class.ID})
	orPanic(err)
	structure, err := erp.NewFeeStructures(s.DB).Create(ctx, erp.NewFeeStructure{
		ClassID: class.ID, Name: "Tuition", Term: "Autumn", AmountMinor: 250_00, Currency: "EUR",
	})
	orPanic(err)
	generated, err := erp.NewFees(s.DB).
		Generate(ctx, structure.ID, erp.Generation{DueOn: erp.NewDate(2100, time.January, 31)})
	orPanic(err)
	return generated.Created[0]
}
