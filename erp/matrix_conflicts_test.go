package erp_test

// conflictMatrix has valid input that conflicts with existing rows.
var conflictMatrix = []ask{
	{"POST /api/users/", `{"email": "ADMIN@example.com", "name": "New", "role": "admin"}`, "409 403 403 403 403"},
	{"POST /api/students/", `{"admission_number": "S1", "first_name": "New", "last_name": "One"}`, "409 403 403 403 403"},
	{"PUT /api/students/2", `{"admission_number": "S1", "first_name": "New", "last_name": "One"}`, "409 403 403 403 403"},
	{"PUT /api/teachers/2", `{"name": "New", "user_id": 2}`, "409 403 403 403 403"},
	{"POST /api/parents/", `{"name": "New", "user_id": 3}`, "409 403 403 403 403"},
	{"PUT /api/parents/2", `{"name": "New", "user_id": 3}`, "409 403 403 403 403"},
	{"POST /api/classes/", `{"name": "1", "section": "a", "year": 2026}`, "409 403 403 403 403"},
	{
		"POST /api/fee-structures/",
		`{"class_id": 1, "name": "Tuition", "term": "Autumn", "amount_minor": 1, "currency": "EUR"}`,
		"409 403 403 403 403",
	},
}
