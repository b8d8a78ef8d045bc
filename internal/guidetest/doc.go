// Package guidetest takes the long guides of the tree at their word: its tests read the SQL, the
// commands and the settings from them, and compile and run their code, on a real PostgreSQL. It has
// tests alone.
//
//	EXISTING.md  of tenancy          existing_test.go
//	VERIFY.md    of tenancy/backup   verify_test.go
//	DJANGO.md    of migrate          django_test.go
package guidetest
