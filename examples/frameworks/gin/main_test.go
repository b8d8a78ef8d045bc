package main

import (
	"os"
	"testing"

	"github.com/oryne/pgtenant/examples/frameworks/platform/platformtest"
	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestGinServesTenants(t *testing.T) {
	t.Parallel()
	platformtest.ServesTenants(t, routes)
}
