package erp_test

import (
	"errors"
	"fmt"

	"github.com/oryne/pgtenant/erp"
)

// An update names the version that its author has seen, so that it does not overwrite a change that
// the author has not seen.
func ExampleStudents_Update() {
	s, done := newSchools()
	defer done()
	h := s.Serve(erp.Handler(s.DB, erp.HandlerConfig{Signer: s.Signer}))
	const host, path = "schoola.example.com", "/api/students/1"
	s.addUser(s.Context("schoola"), "head@example.com", erp.RoleAdmin)
	cookie := logIn(h, host, "head@example.com")

	created := send(h, "POST", host, "/api/students/",
		`{"admission_number": "1", "first_name": "Amara", "last_name": "Okafor"}`, "Cookie", cookie)
	seen := created.Header().Get("ETag")
	put := func(lastName string, headers ...string) int {
		body := `{"admission_number": "1", "first_name": "Amara", "last_name": "` + lastName + `"}`
		return send(h, "PUT", host, path, body, append(headers, "Cookie", cookie)...).Code
	}
	fmt.Println(put("Eze"))
	fmt.Println(put("Eze", "If-Match", seen))
	fmt.Println(put("Bello", "If-Match", seen))

	// In Go the tag is a Version.
	ctx := s.Context("schoola")
	students := erp.NewStudents(s.DB)
	amara, err := students.Get(ctx, 1)
	orPanic(err)
	change := erp.NewStudent{AdmissionNumber: "1", FirstName: "Amara", LastName: "Bello"}
	_, err = students.Update(ctx, amara.ID, amara.Version(), change)
	orPanic(err)
	_, err = students.Update(ctx, amara.ID, amara.Version(), change)
	fmt.Println(errors.Is(err, erp.ErrChanged))

	// Output:
	// 428
	// 200
	// 412
	// true
}
