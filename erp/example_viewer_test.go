package erp_test

import (
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// A store acts on behalf of the viewer in its context.
func ExampleViewer() {
	s, done := newSchools()
	defer done()
	ctx := s.Context("schoola") // on behalf of the program itself

	class, err := erp.NewClasses(s.DB).Create(ctx, erp.NewClass{Name: "7", Section: "b", Year: 2026})
	orPanic(err)
	user := s.addUser(ctx, "tara@schoola.example.com", erp.RoleTeacher)
	_, err = erp.NewTeachers(s.DB).Create(ctx, erp.NewTeacher{Name: "Tara", UserID: &user.ID, ClassIDs: []int64{class.ID}})
	orPanic(err)

	students := erp.NewStudents(s.DB)
	_, err = students.Create(
		ctx,
		erp.NewStudent{AdmissionNumber: "1", FirstName: "Amara", LastName: "Okafor", ClassID: &class.ID},
	)
	orPanic(err)
	other, err := students.Create(ctx, erp.NewStudent{AdmissionNumber: "2", FirstName: "Bruno", LastName: "Keller"})
	orPanic(err)

	tara, err := erp.NewUsers(s.DB).Viewer(ctx, user.ID) // in a request, it comes with the session
	orPanic(err)
	ctx = erp.NewContext(ctx, tara)
	seen, _, err := students.List(ctx, erp.StudentFilter{}, erp.Page{})
	orPanic(err)
	for _, student := range seen {
		fmt.Println(student.FirstName)
	}
	_, err = students.Get(ctx, other.ID)
	fmt.Println(errors.Is(err, erp.ErrNotFound))
	fmt.Println(students.Delete(ctx, seen[0].ID, erp.AnyVersion))

	// Output:
	// Amara
	// true
	// delete student: a teacher and changes of students: not for this role
}
