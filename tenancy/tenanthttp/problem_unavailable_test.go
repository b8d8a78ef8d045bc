package tenanthttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func TestUnavailableProblemSaysWhetherAChangeMayHaveBeenMade(t *testing.T) {
	t.Parallel()
	_, noServer := pgconn.Connect(t.Context(), "postgres://u@127.0.0.1:1/d?sslmode=disable")
	for _, c := range []struct {
		method string
		err    error
		want   string // "" if ok is false
	}{
		{"GET", noServer, "Try again soon."},
		{"GET", io.ErrUnexpectedEOF, "Try again soon."},
		{"POST", noServer, "Nothing was changed"},
		{"POST", io.ErrUnexpectedEOF, "may have been made"},
		{"PUT", context.DeadlineExceeded, "may have been made"},
		{"POST", errors.New("a fault of the program"), ""},
		{"POST", &pgconn.PgError{Code: "42601"}, ""},
	} {
		p, ok := tenanthttp.UnavailableProblem(httptest.NewRequest(c.method, "/", nil), c.err)
		assert.Equal(t, c.want != "", ok, "%v", c.err)
		if ok {
			assert.Equal(t, http.StatusServiceUnavailable, p.Status)
			assert.Positive(t, p.RetryAfter)
			assert.Contains(t, p.Detail, c.want)
		}
	}
}
