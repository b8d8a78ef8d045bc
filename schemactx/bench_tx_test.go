package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// executor is a transaction of pgx or of schemactx.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
}

// visit is the measured transaction: read a student, count a visit, read a class.
type visit struct{ student, update, class string }

// visitOf returns the statements for tables with a qualifier, "" or "tenant_1.".
func visitOf(qualifier string) visit {
	return visit{
		student: "select name from " + qualifier + "students where id = $1",
		update:  "update " + qualifier + "students set visits = visits + 1 where id = $1",
		class:   "select name from " + qualifier + "classes where id = $1",
	}
}

// run runs the three statements and commits. Both reads must return want.
func (v visit) run(ctx context.Context, tx executor, id int, want string) error {
	var student, class string
	err := tx.QueryRow(ctx, v.student, id).Scan(&student)
	if err == nil {
		_, err = tx.Exec(ctx, v.update, id)
	}
	if err == nil {
		err = tx.QueryRow(ctx, v.class, id).Scan(&class)
	}
	if err == nil && (student != want || class != want) {
		err = fmt.Errorf("read rows of %q and %q in %q", student, class, want)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Commit(ctx)
}

// visitor returns the transaction for r's method, raw or schemactx, as r.row is its single read.
func (r *reader) visitor() func(tenant, id int) error {
	f := r.fleet
	if r.db != nil {
		v := visitOf("")
		return func(tenant, id int) error {
			tx, err := r.db.Begin(f.ctxs[tenant])
			if err != nil {
				return err
			}
			return v.run(f.ctxs[tenant], tx, id, f.names[tenant])
		}
	}
	var visits []visit
	for _, name := range f.names {
		visits = append(visits, visitOf(name+"."))
	}
	return func(tenant, id int) error {
		tx, err := r.pool.Begin(f.base)
		if err != nil {
			return err
		}
		return visits[tenant].run(f.base, tx, id, f.names[tenant])
	}
}

// BenchmarkTx measures a transaction of three statements and its commit, which is five round trips
// in raw. See [BenchmarkRead].
func BenchmarkTx(b *testing.B) { benchmarkTx(b, newFleet(b)) }

// BenchmarkTxDelayed is BenchmarkTx over a network with a delay of one millisecond each way. See
// [BenchmarkReadDelayed].
func BenchmarkTxDelayed(b *testing.B) {
	f := newFleet(b)
	f.proxy = newProxy(b, f.pg.URL, time.Millisecond)
	benchmarkTx(b, f)
}

func benchmarkTx(b *testing.B, f *fleet) {
	const tenants = 10
	for _, name := range []string{"raw", "pathonly", "roles"} {
		b.Run(name, func(b *testing.B) {
			r := openWarm(b, f, name, tenants)
			visit := r.visitor()
			op := func(rnd *rand.Rand) error { return visit(rnd.IntN(tenants), 1+rnd.IntN(fleetRows)) }
			// The first read is warm already. The update and the second read become warm here, on
			// connections that are taken at random.
			_ = rate(b, compareSlice, fleetConns, op)
			for _, goroutines := range []int{1, 16} {
				b.Run(fmt.Sprintf("tenants=%d/goroutines=%d", tenants, goroutines), func(b *testing.B) {
					measure(b, goroutines, op)
				})
			}
		})
	}
}
