package erp

import "time"

// Version tells the states of a row apart: it is the microsecond in which the row was written last, which no two
// changes of a row share. Who updates or deletes says which state they have seen, so that nobody overwrites what they
// have not.
type Version int64

// AnyVersion is whatever is there.
const AnyVersion Version = 0

// versionOf returns the version of a row.
func versionOf(updatedAt time.Time) Version { return Version(updatedAt.UnixMicro()) }

// time is the updated_at of the version.
func (v Version) time() time.Time { return time.UnixMicro(int64(v)) }

// touch sets updated_at: to a later time also where the clock stands still or goes back.
func touch(table string) string {
	return "updated_at = greatest(clock_timestamp(), " + table + ".updated_at + interval '1 microsecond')"
}
