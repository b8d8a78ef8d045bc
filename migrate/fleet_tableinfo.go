package migrate

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// tableInfoBatch is how many schemas are read in one query.
const tableInfoBatch = 32

// tableInfo is what the transaction of a schema needs to know about its version table,
// besides the versions.
type tableInfo struct {
	comment string    // on the version table
	granted bool      // a role other than the owner has privileges on it
	stamp   int64     // the server's time in microseconds, as in the table
	read    time.Time // when the stamp was read
}

// now returns the server's time.
func (k *tableInfo) now() int64 { return k.stamp + time.Since(k.read).Microseconds() }

// ready reports whether all pending migrations can be sent in the message that takes the lock.
func (m member) ready() bool {
	return m.batchable() && m.info != nil && m.info.read != time.Time{} && !m.info.granted
}

// tableInfoSQL reads the tableInfo of the version tables with the OIDs $1.
const tableInfoSQL = `select c.oid, coalesce(d.description, ''),
		c.relacl is not null and exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner),
		(extract(epoch from clock_timestamp()::timestamp) * 1000000)::bigint
	from unnest($1::oid[]) as t (oid) join pg_class c on c.oid = t.oid
	left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0`

// readTableInfo sets the info of schemas. read returns the rows of tableInfoSQL, in text, for an
// array of OIDs. A schema whose info could not be read has an empty one: it is migrated by itself,
// and that reports the error.
func readTableInfo(members []member, read func(tables string) ([][][]byte, error)) {
	byTable := make(map[string]*tableInfo, len(members))
	var tables []string
	for i := range members {
		m := &members[i]
		m.info = &tableInfo{}
		if m.batchable() {
			oid := strconv.FormatUint(uint64(m.table), 10)
			byTable[oid] = m.info
			tables = append(tables, oid)
		}
	}
	if len(tables) == 0 {
		return
	}
	rows, err := read("{" + strings.Join(tables, ",") + "}")
	if err != nil {
		return
	}
	now := time.Now()
	for _, row := range rows {
		k := byTable[string(row[0])]
		k.comment, k.granted, k.read = string(row[1]), string(row[2]) == "t", now
		if k.stamp, err = strconv.ParseInt(string(row[3]), 10, 64); err != nil {
			*k = tableInfo{}
		}
	}
}

// queryTableInfo returns a read function for readTableInfo that sends tableInfoSQL through db.
func queryTableInfo(ctx context.Context, db querier) func(tables string) ([][][]byte, error) {
	return func(tables string) ([][][]byte, error) {
		rows, err := db.Query(ctx, tableInfoSQL, pgx.QueryExecModeExec, tables)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var values [][][]byte
		for rows.Next() {
			values = append(values, cloned(rows.RawValues()))
		}
		return values, rows.Err()
	}
}

// noteWith returns the comment of a version table with the checksums of steps added. stamp is the
// time at which they are applied, and has reports whether a version is applied. It returns false if
// another program wrote the comment, which then stays as it is.
func noteWith(comment string, stamp int64, steps []step, has func(int64) bool) (string, bool) {
	n := note{Sums: make(map[int64]map[int64]string)}
	if comment != "" {
		n.Sums = nil
		if err := json.Unmarshal([]byte(comment), &n); err != nil || n.Sums == nil {
			return "", false
		}
	}
	sums := make(map[int64]string)
	for _, st := range steps {
		if st.m.checksum != "" {
			sums[st.m.version] = st.m.checksum[:noteLen]
		}
	}
	n.Sums[stamp] = sums
	return n.text(declared(readCompatible(n.Compatible), steps, has)), true
}
