package schemactx

import "github.com/jackc/pgx/v5/pgxpool"

// Usage is the use of connections by a tenant with a [Limits].MaxConns.
type Usage struct {
	Schema   string
	Held     int // connections, including those that are being acquired
	Waiting  int // units of work that wait for another one of the tenant to end
	MaxConns int
}

// Usage returns the usage of the tenants that have a limit and currently hold or wait for a
// connection, in no order. Its only cost for units of work with a limit is a lock, held while the
// numbers are copied.
func (db *DB) Usage() []Usage { return db.semaphores.usage() }

// PoolStats is the state of the pools of a [DB]: the given one, its lanes, and the pools of logins.
type PoolStats struct {
	Pools    int // open pools
	MaxConns int // of all pools together
	Acquired int // connections in use
	Idle     int
	Opening  int // connections that are being opened
}

// PoolStats returns the state of the pools. It sends no query.
func (db *DB) PoolStats() PoolStats {
	var s PoolStats
	s.add(db.pool)
	if db.lanes != nil {
		for _, l := range db.lanes.list {
			s.add(l.pool)
		}
	}
	if db.logins != nil {
		for _, p := range db.logins.pools() {
			s.add(p)
		}
	}
	return s
}

func (s *PoolStats) add(p *pgxpool.Pool) {
	st := p.Stat()
	s.Pools++
	s.MaxConns += int(st.MaxConns())
	s.Acquired += int(st.AcquiredConns())
	s.Idle += int(st.IdleConns())
	s.Opening += int(st.ConstructingConns())
}
