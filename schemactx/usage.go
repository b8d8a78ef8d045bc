package schemactx

import "github.com/jackc/pgx/v5/pgxpool"

// Usage is how many connections a tenant with a [Limits].MaxConns uses.
type Usage struct {
	Schema   string
	Held     int // connections, or being acquired
	Waiting  int // units of work that wait for one of the tenant's own to end
	MaxConns int
}

// Usage returns the usage of the tenants that have a limit and hold or await a connection now, in
// no order. It costs the units of work nothing but, for as long as it takes to copy the numbers,
// the lock that one with a limit takes.
func (db *DB) Usage() []Usage { return db.semaphores.usage() }

// PoolStats is the state of the pools of a [DB]: the one it was given, its lanes, the pools of
// logins.
type PoolStats struct {
	Pools    int // that are open
	MaxConns int // of all of them together
	Acquired int // connections on loan
	Idle     int
	Opening  int // connections that are being opened
}

// PoolStats returns the state of the pools. It costs no query.
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
