// Package publicsite is what the platform's own hosts show to everybody: the schools that can be
// looked at, the form to sign a school up, and the same for programs, under /api/.
//
//	POST /api/auth/login     {"email", "password", "code"}: a member of the staff gets a session
//	POST /api/auth/logout    ends it
//	GET  /api/auth/me        who it is
//	GET  /api/tenants/       the schools: to staff all, to others those that are open; ?after=, ?q=
//	POST /api/tenants/       {"name", "slug", "email", "password"}: a school, at once, with its administrator
//
// Every refusal is problem details (RFC 9457). Who is a customer of whom is nobody's business: the
// list that everybody sees has the schools of the demo alone.
package publicsite
