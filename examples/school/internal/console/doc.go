// Package console is /admin/, where the platform's staff look after schools: from their making to
// their end, with their domains, backups, migrations and access log.
//
// It is a front of the library and decides nothing by itself: what a status allows, what a drop
// demands and what a restore refuses are the library's answers, which a page puts into words.
// Whatever is done is in the access log, with the member of the staff who did it.
package console
