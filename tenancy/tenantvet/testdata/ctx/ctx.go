// Package ctx has contexts without the tenant of their function.
package ctx

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

type server struct{ db *schemactx.DB }

func students(ctx context.Context, db *schemactx.DB) error {
	_, err := db.Exec(ctx, "select 1")
	return err
}

func (s *server) bad(w http.ResponseWriter, r *http.Request) {
	// want +1 `this context has no tenant: pass the caller's, or context.WithoutCancel of it`
	_, _ = s.db.Exec(context.Background(), "select 1")
	_, _ = s.db.Exec(context.TODO(), "select 1") // want `this context has no tenant`
	_ = students(context.Background(), s.db)     // want `this context has no tenant`
	// want +1 `this context has no tenant`
	_ = schemactx.WithSchema(context.Background(), "tenant_2", func(ctx context.Context) error {
		_, err := s.db.Exec(context.Background(), "select 1") // want `this context has no tenant`
		return err
	})
	// want +1 `this context has no tenant`
	_, _ = s.db.Exec(schemactx.NewContext(context.Background(), "tenant_2"), "select 1")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.db.QueryRow(ctx, "select 1") // want `this context has no tenant`
	go func() {
		_, _ = s.db.Exec(context.Background(), "select 1") // want `this context has no tenant`
	}()
	_, _ = tenanttoken.CacheKey(context.WithoutCancel(context.Background()), "k") // want `this context has no tenant`
}

func withContext(ctx context.Context, db *schemactx.DB) error {
	if ctx.Err() != nil {
		ctx = context.Background()
	}
	return db.InTx(ctx, func(tx pgx.Tx) error { // want `this context has no tenant`
		_, err := tx.Exec(context.TODO(), "select 1") // want `this context has no tenant`
		return err
	})
}

// ginContext is a context, as the one of gin. echoContext has a request, as the one of echo.
type (
	ginContext  struct{ context.Context }
	echoContext interface{ Request() *http.Request }
)

func (s *server) gin(c *ginContext) {
	_, _ = s.db.Exec(context.Background(), "select 1") // want `this context has no tenant`
	_, _ = s.db.Exec(c, "select 1")
}

func (s *server) echo(c echoContext) error {
	_, err := s.db.Exec(context.Background(), "select 1") // want `this context has no tenant`
	_, _ = s.db.Exec(c.Request().Context(), "select 1")
	return err
}

func (s *server) good(w http.ResponseWriter, r *http.Request) {
	_, _ = s.db.Exec(r.Context(), "select 1")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Second)
	defer cancel()
	_, _ = s.db.Exec(ctx, "select 1")
	ctx = context.WithValue(ctx, struct{}{}, 1)
	_ = students(ctx, s.db)
	tx, _ := s.db.Begin(ctx)
	defer tx.Rollback(context.Background()) // Rollback needs no schema
	srv := &http.Server{}
	_ = srv.Shutdown(context.Background()) // not a scoped call
}

// noneAtHand has no context as a parameter.
func noneAtHand(db *schemactx.DB) error {
	ctx := schemactx.NewContext(context.Background(), "tenant_2")
	_, err := db.Exec(ctx, "select 1")
	return err
}

func allowed(ctx context.Context, db *schemactx.DB) error {
	//tenantvet:allow tenantctx a job of its own, for another tenant
	return students(schemactx.NewContext(context.Background(), "tenant_2"), db)
}
