package tenancy

import (
	"runtime"
	"sync"
	"weak"

	"github.com/jackc/pgx/v5/pgxpool"
)

// leaseCounts are how many leases may be held at a time of each pool that a manager works through. The count is the
// pool's, and a pool has no room for it: managers that counted for themselves would together take its last connection,
// and each wait for the other for ever. An entry goes with its pool.
var leaseCounts = struct {
	mu    sync.Mutex
	pools map[weak.Pointer[pgxpool.Pool]]chan struct{}
}{pools: map[weak.Pointer[pgxpool.Pool]]chan struct{}{}}

// leasesOf returns a channel with room for each lease of the pool that may be held at a time: one connection is always
// left for the work under a lock, whoever else holds one.
func leasesOf(pool *pgxpool.Pool) chan struct{} {
	leaseCounts.mu.Lock()
	defer leaseCounts.mu.Unlock()
	key := weak.Make(pool)
	leases, known := leaseCounts.pools[key]
	if !known {
		leases = make(chan struct{}, pool.Config().MaxConns-1)
		leaseCounts.pools[key] = leases
		runtime.AddCleanup(pool, forgetLeases, key)
	}
	return leases
}

func forgetLeases(key weak.Pointer[pgxpool.Pool]) {
	leaseCounts.mu.Lock()
	defer leaseCounts.mu.Unlock()
	delete(leaseCounts.pools, key)
}
