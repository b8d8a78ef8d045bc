package migrate

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// equipAtOnce is for how many schemas the kit is read at a time.
const equipAtOnce = 32

// kit is what the transaction of a schema needs to know besides its versions.
type kit struct {
	comment string    // on the version table
	granted bool      // another than the owner has rights on it
	stamp   int64     // the server's time in microseconds, as in the table
	read    time.Time // when the stamp was read
}

// now returns the server's time.
func (k *kit) now() int64 { return k.stamp + time.Since(k.read).Microseconds() }

// fast reports whether all that is pending can go out together with the lock.
func (m member) fast() bool {
	return m.swift() && m.kit != nil && m.kit.read != time.Time{} && !m.kit.granted
}

// equip reads the kits of schemas. One that is not to be had is empty: its schema takes the slower way, which tells why.
func equip(ctx context.Context, db querier, members []member) {
	byTable := make(map[uint32]*kit, len(members))
	var tables []string
	for i := range members {
		m := &members[i]
		m.kit = &kit{}
		if m.line != nil && m.line.fast {
			byTable[m.table] = m.kit
			tables = append(tables, strconv.FormatUint(uint64(m.table), 10))
		}
	}
	if len(tables) == 0 {
		return
	}
	rows, err := db.Query(ctx, `select c.oid, coalesce(d.description, ''),
			exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner),
			(extract(epoch from clock_timestamp()::timestamp) * 1000000)::bigint
		from unnest($1::text::oid[]) as t (oid) join pg_class c on c.oid = t.oid
		left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0`,
		pgx.QueryExecModeExec, "{"+strings.Join(tables, ",")+"}")
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
		var table uint32
		var k kit
		if err := rows.Scan(&table, &k.comment, &k.granted, &k.stamp); err != nil {
			return
		}
		k.read = time.Now()
		*byTable[table] = k
	}
}

// noteWith returns the comment with the checksums of steps that are applied at a time, or false where it is
// somebody else's and stays.
func noteWith(comment string, stamp int64, steps []step) (string, bool) {
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
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // maps of numbers and strings have a JSON form
	}
	return string(text), true
}
