package erp_test

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/erp"
)

// A store can use a transaction, so that the caller decides which changes belong together.
func ExampleQuerier() {
	s, done := newSchools()
	defer done()
	ctx := s.Context("schoola")

	admit := func(relation string) error {
		return s.DB.InTx(ctx, func(tx pgx.Tx) error {
			student, err := erp.NewStudents(tx).
				Create(ctx, erp.NewStudent{AdmissionNumber: "1", FirstName: "Amara", LastName: "Okafor"})
			if err != nil {
				return err
			}
			_, err = erp.NewParents(tx).Create(ctx, erp.NewParent{
				Name: "Ngozi Okafor", Children: []erp.Child{{StudentID: student.ID, Relation: relation}},
			})
			return err
		})
	}
	fmt.Println(admit("mother\x00"))
	students, _, err := erp.NewStudents(s.DB).List(ctx, erp.StudentFilter{}, erp.Page{})
	fmt.Println(len(students), err)
	fmt.Println(admit("mother"))
	parents, _, err := erp.NewParents(s.DB).List(ctx, erp.ParentFilter{Search: "ngozi"}, erp.Page{})
	fmt.Println(len(parents), err)

	// Output:
	// children holds a control character
	// 0 <nil>
	// <nil>
	// 1 <nil>
}
