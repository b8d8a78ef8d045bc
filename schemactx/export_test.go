package schemactx

// LookNow has the next unit of work compare the fingerprint of the catalogs, as it does once a
// second.
func (db *DB) LookNow() { db.catalog.changed() }
