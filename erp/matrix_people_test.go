package erp_test

// The users of populate: 1 is the admin, 2 the teacher, 3 the parent, 4 the student. 5 to 7 belong
// to the rows that are unrelated to them, and 8 belongs to no row.

var authMatrix = []ask{
	{"GET /api/openapi.json", ``, "200 200 200 200 200"},
	{"POST /api/auth/login", `{"email": "admin@example.com", "password": "` + password + `"}`, "200 200 200 200 200"},
	{"POST /api/auth/login", `{"email": "admin@example.com", "password": "wrong"}`, "401 401 401 401 401"},
	{"POST /api/auth/logout", ``, "204 204 204 204 204"},
	{"GET /api/auth/me", ``, "200 200 200 200 401"},
	{"PUT /api/auth/password", `{"current": "` + password + `", "new": "another password"}`, "200 200 200 200 401"},
	{"PUT /api/auth/password", `{"current": "wrong", "new": "another password"}`, "401 401 401 401 401"},
}

const newUser = `{"email": "new@example.com", "name": "New", "role": "teacher"}`

var userMatrix = []ask{
	{"GET /api/users/", ``, "1,2,3,4,5,6,7,8 403 403 403 403"},
	{"GET /api/users/?role=parent&q=PARENT", ``, "3 403 403 403 403"},
	{"POST /api/users/", newUser, "201 403 403 403 403"},
	{"GET /api/users/2", ``, "200 403 403 403 403"},
	{"GET /api/users/99", ``, "404 403 403 403 403"},
	{"PUT /api/users/2", newUser, "200 403 403 403 403"},
	{"PUT /api/users/1", newUser, "409 403 403 403 403"}, // the user itself
	{"DELETE /api/users/8", ``, "204 403 403 403 403"},
	{"DELETE /api/users/1", ``, "409 403 403 403 403"}, // the user itself
	{"DELETE /api/users/4", ``, "409 403 403 403 403"}, // a student has this user
	{"PUT /api/users/2/password", `{"password": "another password"}`, "204 403 403 403 403"},
	{"PUT /api/users/99/password", `{"password": "another password"}`, "404 403 403 403 403"},
}

const newStudent = `{"admission_number": "S9", "first_name": "New", "last_name": "One", "class_id": 2}`

const newFile = "admission_number,first_name,last_name,class,section,year\nS9,New,One,1,a,2026\n"

var studentMatrix = []ask{
	{"GET /api/students/", ``, "1,2,3 1,2 1 1 1,2,3"},
	{"GET /api/students?class_id=1", ``, "1,2 1,2 1 1 1,2"},
	{"GET /api/students?class_id=2", ``, "3 none none none 3"},
	{"GET /api/students?parent_id=2", ``, "3 none none none none"},
	{"GET /api/students?q=dent", ``, "1,2 1,2 1 1 1,2"},
	{"GET /api/students?q=U+OTHER", ``, "none none none none none"},
	{"GET /api/students?q=ue+OTHER", ``, "3 none none none 3"},
	{"GET /api/students/1", ``, "200 200 200 200 200"},
	{"GET /api/students/2", ``, "200 200 404 404 200"},
	{"GET /api/students/3", ``, "200 404 404 404 200"},
	{"GET /api/students/99", ``, "404 404 404 404 404"},
	{"POST /api/students/", newStudent, "201 403 403 403 403"},
	{"POST /api/students/", `not JSON`, "400 403 403 403 403"},
	{"PUT /api/students/3", newStudent, "200 403 403 403 403"},
	{"PUT /api/students/99", newStudent, "404 403 403 403 403"},
	{"POST /api/students/import", newFile, "201 403 403 403 403"},
	{"POST /api/students/import/?dry_run", newFile, "200 403 403 403 403"},
	{"POST /api/students/import", "admission_number,first_name,last_name\nS1,A,B\n", "422 403 403 403 403"},
	{"DELETE /api/students/3", ``, "204 403 403 403 403"},
	{"DELETE /api/students/1", ``, "409 403 403 403 403"}, // has fees
	{"DELETE /api/students/99", ``, "404 403 403 403 403"},
}

const newClass = `{"name": "3", "section": "c", "year": 2026}`

var classMatrix = []ask{
	{"GET /api/classes/", ``, "1,2,3 1 1 1 1,2,3"},
	{"GET /api/classes?year=2026&teacher_id=2", ``, "2 none none none 2"},
	{"GET /api/classes?q=1+A", ``, "1 1 1 1 1"},
	{"GET /api/classes/1", ``, "200 200 200 200 200"},
	{"GET /api/classes/2", ``, "200 404 404 404 200"},
	{"POST /api/classes/", newClass, "201 403 403 403 403"},
	{"PUT /api/classes/2", newClass, "200 403 403 403 403"},
	{"PUT /api/classes/2", `{"name": "1", "section": "a", "year": 2026}`, "409 403 403 403 403"},
	{"DELETE /api/classes/3", ``, "204 403 403 403 403"},
	{"DELETE /api/classes/1", ``, "409 403 403 403 403"}, // has students
}

const newTeacher = `{"name": "New", "class_ids": [2, 1, 2], "user_id": 8}`

var teacherMatrix = []ask{
	{"GET /api/teachers/", ``, "1,2 1,2 1 1 1,2"},
	{"GET /api/teachers?class_id=2", ``, "2 none none none 2"},
	{"GET /api/teachers?q=tara", ``, "1 1 1 1 1"},
	{"GET /api/teachers/2", ``, "200 200 404 404 200"},
	{"POST /api/teachers/", newTeacher, "201 403 403 403 403"},
	{"POST /api/teachers/", `{"name": "New", "class_ids": [99]}`, "422 403 403 403 403"},
	{"POST /api/teachers/", `{"name": "New", "user_id": 2}`, "409 403 403 403 403"}, // another teacher has this user
	{"PUT /api/teachers/2", newTeacher, "200 403 403 403 403"},
	{"DELETE /api/teachers/2", ``, "204 403 403 403 403"},
}

const newParent = `{"name": "New", "children": [{"student_id": 3, "relation": "aunt"}, {"student_id": 1}]}`

var parentMatrix = []ask{
	{"GET /api/parents/", ``, "1,2 1 1 1 403"},
	{"GET /api/parents?student_id=3", ``, "2 none none none 403"},
	{"GET /api/parents?q=pat+p", ``, "1 1 1 1 403"},
	{"GET /api/parents/1", ``, "200 200 200 200 403"},
	{"GET /api/parents/2", ``, "200 404 404 404 403"},
	{"POST /api/parents/", newParent, "201 403 403 403 403"},
	{"POST /api/parents/", `{"name": "New", "children": [{"student_id": 99}]}`, "422 403 403 403 403"},
	{"PUT /api/parents/2", newParent, "200 403 403 403 403"},
	{"DELETE /api/parents/2", ``, "204 403 403 403 403"},
}
