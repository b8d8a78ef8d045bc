package schemactx

// LookNow makes the next unit of work compare the fingerprint of the catalogs, which normally
// happens once a second.
func (db *DB) LookNow() { db.catalog.changed() }
