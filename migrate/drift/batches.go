package drift

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
)

// readStructure is an element of the sequence that [Read] returns.
type readStructure struct {
	structure Structure
	err       error
}

// structures reads the structures of schemas, in their order, a few batches at a time.
func structures(ctx context.Context, r *migrate.Runner, schemas []string, opts Options) iter.Seq2[Structure, error] {
	return func(yield func(Structure, error) bool) {
		type batch struct {
			schemas []string
			read    chan []readStructure
		}
		workers := min(cmp.Or(max(opts.Workers, 0), migrate.DefaultWorkers), int(r.Pool().Config().MaxConns))
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		batches, order := make(chan batch), make(chan chan []readStructure, workers-1)
		wg.Go(func() {
			defer close(order)
			defer close(batches)
			for names := range slices.Chunk(schemas, cmp.Or(max(opts.Batch, 0), 50)) {
				b := batch{names, make(chan []readStructure, 1)}
				select {
				case order <- b.read:
				case <-ctx.Done():
					return
				}
				select {
				case batches <- b:
				case <-ctx.Done():
					return
				}
			}
		})
		for range workers {
			wg.Go(func() {
				reader := &structureReader{pool: r.Pool()}
				defer reader.close(ctx)
				for b := range batches {
					b.read <- reader.read(ctx, b.schemas, opts.ReadOptions)
				}
			})
		}
		for read := range order {
			select {
			case all := <-read:
				for _, s := range all {
					if !yield(s.structure, s.err) {
						return
					}
				}
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Structure{}, err)
		}
	}
}

// schemasPerSession is how many schemas are read over one connection. A server process caches what
// it has looked up of each relation, some 170 kB for a schema of 20 tables, and frees it only at
// its end.
const schemasPerSession = 500

// structureReader reads over a connection that it takes out of the pool. The connection is closed
// at the end because its server process has grown.
type structureReader struct {
	pool   *pgxpool.Pool
	conn   *pgx.Conn
	served int
}

func (s *structureReader) read(ctx context.Context, schemas []string, opts ReadOptions) []readStructure {
	if s.served += len(schemas); s.served > schemasPerSession {
		s.close(ctx)
	}
	if s.conn == nil {
		lease, err := s.pool.Acquire(ctx)
		if err != nil {
			return []readStructure{{err: err}}
		}
		s.conn, s.served = lease.Hijack(), len(schemas)
	}
	all := make([]readStructure, 0, len(schemas))
	for structure, err := range Read(ctx, s.conn, opts, schemas...) {
		all = append(all, readStructure{structure, err})
	}
	return all
}

func (s *structureReader) close(ctx context.Context) {
	if s.conn != nil {
		closeConn(ctx, s.conn)
		s.conn = nil
	}
}
