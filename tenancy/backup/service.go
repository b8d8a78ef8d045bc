package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Service backs up, restores, clones and erases tenants. It is safe for concurrent use.
type Service struct {
	cfg        Config
	registry   *registrydb.Pool
	references references
	clock      func() time.Time
}

// New returns a service. It does not connect, and it never closes the pools or the store in cfg.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	schema, err := registrydb.Parse(cfg.Tenants.RegistrySchema())
	if err != nil {
		return nil, err
	}
	return &Service{
		cfg: cfg, registry: schema.Pool(cfg.Registry), clock: time.Now,
		references: references{sem: make(chan struct{}, 1)},
	}, nil
}

// errNoStore is returned by methods that need [Config].Store.
var errNoStore = errors.New("backup: Config.Store is nil")

// checkRoles checks that both pools log in as the owner role, before a schema is built. Tables and
// partitions that another role creates belong to that role, and the owner could neither migrate
// them nor back them up.
func (s *Service) checkRoles(ctx context.Context) error {
	var pool string
	if err := s.cfg.Pool.QueryRow(ctx, "select current_user").Scan(&pool); err != nil {
		return fmt.Errorf("read the role of Config.Pool: %w", err)
	}
	migrations, err := s.cfg.Migrations.Role(ctx)
	if err != nil {
		return err
	}
	for name, role := range map[string]string{"Pool": pool, "Migrations": migrations} {
		if want := s.cfg.Tenants.Roles().Owner(); role != want {
			err := &schemactx.LoginError{Login: role, Kind: schemactx.LoginOther, Want: want}
			return fmt.Errorf("backup.Config.%s: %w", name, err)
		}
	}
	return nil
}
