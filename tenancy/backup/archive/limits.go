package archive

import (
	"cmp"
	"fmt"
)

// Sizes of parts.
const (
	DefaultPartSize = 1 << 20  // bytes of CSV
	MaxPartSize     = 16 << 20 // largest size that can be written or read
	minPartSize     = 64 << 10
)

// maxParts is the largest number that a part's name has digits for.
const maxParts = 999_999

// maxName is the maximum length of a name in PostgreSQL, in bytes.
const maxName = 63

// Limits bounds what a [Reader] accepts. Zero means the default; a negative value is an error.
type Limits struct {
	HeaderBytes int64 // of header.json, and of manifest.json; default 32 MiB
	Tables      int   // of tables, sequences, materialized views, partitions and excluded tables each; default 20,000
	Columns     int   // of one table; default 1,600, which is PostgreSQL's limit
	TableBytes  int64 // bytes of CSV of one table; default 1 TiB
	TotalBytes  int64 // bytes of CSV of all tables; default 1 TiB
}

func (l Limits) withDefaults() (Limits, error) {
	if min(l.HeaderBytes, int64(l.Tables), int64(l.Columns), l.TableBytes, l.TotalBytes) < 0 {
		return l, fmt.Errorf("archive: Limits %+v: one is negative", l)
	}
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 32<<20)
	l.Tables = cmp.Or(l.Tables, 20_000)
	l.Columns = cmp.Or(l.Columns, 1600)
	l.TableBytes = cmp.Or(l.TableBytes, 1<<40)
	l.TotalBytes = cmp.Or(l.TotalBytes, 1<<40)
	return l, nil
}

// stored returns a bound for the compressed size of a part: incompressible bytes grow slightly in
// zstd.
func stored(part int) int64 { return int64(part) + int64(part)/64 + 4<<10 }
