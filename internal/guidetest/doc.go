// Package guidetest tests the long guides of the tree on a real PostgreSQL. Its tests read the SQL,
// the commands and the settings from the guides, and compile and run their code. It has only tests.
//
//	EXISTING.md  of tenancy          existing_test.go
//	VERIFY.md    of tenancy/backup   verify_test.go
//	DJANGO.md    of migrate          django_test.go
package guidetest
