// Package publicsite serves the platform's own hosts: a page with the open schools, the form to
// sign up a school, and the same for programs under /api/.
//
//	POST /api/auth/login     {"email", "password", "code"}: log in a staff member
//	POST /api/auth/logout    end the session
//	GET  /api/auth/me        the staff member of the session
//	GET  /api/tenants/       the schools: all for staff, the open ones for others; ?after=, ?q=
//	POST /api/tenants/       {"name", "slug", "email", "password"}: create a school and its admin
//
// Every refusal is a problem details object (RFC 9457). The names of customers are confidential:
// the public list has only the schools of the demo.
package publicsite
