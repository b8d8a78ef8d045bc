package erp

import "time"

// Version identifies a state of a row: the microsecond of its last change. No two changes of a row
// have the same. An update or a delete names the version that its caller has seen, so that it
// overwrites no other change.
type Version int64

// AnyVersion stands for every version.
const AnyVersion Version = 0

// versionOf returns the version of a row.
func versionOf(updatedAt time.Time) Version { return Version(updatedAt.UnixMicro()) }

// time returns the updated_at of the version.
func (v Version) time() time.Time { return time.UnixMicro(int64(v)) }

// touch returns SQL that sets updated_at to a later time, even if the clock stands still or goes
// back.
func touch(table string) string {
	return "updated_at = greatest(clock_timestamp(), " + table + ".updated_at + interval '1 microsecond')"
}
