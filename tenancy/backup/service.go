package backup

import (
	"errors"
	"time"

	"github.com/oryne/pgtenant/internal/registrydb"
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
