package backup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
)

// ErrOtherRegistry is wrapped by an [OtherRegistryError].
var ErrOtherRegistry = errors.New("backup does not belong to this registry")

// OtherRegistryError is returned for an archive in the store that belongs to another registry
// ([tenancy.Registry.Identity]). Examples are the registry of a staging system, of a database that
// was created anew, or of the original of a copied database. Nothing was changed.
type OtherRegistryError struct {
	Name     string
	Registry string // of the archive; empty: it was made by an earlier release, see [Service.AdoptBackups]
	Own      string // the registry of this database
}

// Error returns the backup's name and both registries.
func (e *OtherRegistryError) Error() string {
	if e.Registry == "" {
		return fmt.Sprintf(
			"backup %q: %v (%s): its name contains no registry: adopt it with AdoptBackups, or set AnyRegistry",
			e.Name, ErrOtherRegistry, e.Own)
	}
	return fmt.Sprintf("backup %q: %v (%s), but to registry %s: set AnyRegistry to use it anyway",
		e.Name, ErrOtherRegistry, e.Own, e.Registry)
}

// Unwrap returns [ErrOtherRegistry].
func (e *OtherRegistryError) Unwrap() error { return ErrOtherRegistry }

// ErrUnadopted is wrapped by an [UnadoptedError].
var ErrUnadopted = errors.New("files in the store have no registry in their names")

// UnadoptedError is returned by [Freshness], and by [Service.Erase] before anything is dropped, if
// the store has files of an earlier release. They may belong to this tenant or to another
// registry's tenant with the same id. [Service.AdoptBackups] takes over those of this registry.
type UnadoptedError struct {
	TenantID int64
	Names    []string // at least one file
}

// Error returns the tenant's id and the names of the files.
func (e *UnadoptedError) Error() string {
	return fmt.Sprintf("tenant %d: %v: adopt or remove %s", e.TenantID, ErrUnadopted, strings.Join(e.Names, ", "))
}

// Unwrap returns [ErrUnadopted].
func (e *UnadoptedError) Unwrap() error { return ErrUnadopted }

// registryPrefix returns the prefix of the names of all files of a registry.
func registryPrefix(registry string) string { return registry + "/" }

// tenantPrefix returns the prefix of the names of a tenant's files, under any slug.
func tenantPrefix(registry string, id int64) string {
	return registryPrefix(registry) + legacyPrefix(id)
}

// legacyPrefix returns the prefix of the names of a tenant's files of earlier releases. They
// contain no registry.
func legacyPrefix(id int64) string { return strconv.FormatInt(id, 10) + "-" }

// registryOf returns the registry in a file's name, or an empty string.
func registryOf(name string) string {
	first, _, more := strings.Cut(name, "/")
	if !more || !isUUID(first) {
		return ""
	}
	return first
}

// isUUID reports whether s is a UUID as PostgreSQL prints it.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && strings.IndexByte("0123456789abcdef", s[i]) < 0 {
			return false
		}
	}
	return true
}

// prefixOf returns the prefix of the names of a tenant's files in this registry.
func (s *Service) prefixOf(ctx context.Context, id int64) (string, error) {
	registry, err := s.cfg.Tenants.Identity(ctx)
	return tenantPrefix(registry, id), err
}

// checkRegistry returns an [OtherRegistryError] if the file's name is not of this registry.
func (s *Service) checkRegistry(ctx context.Context, name string) error {
	own, err := s.cfg.Tenants.Identity(ctx)
	if err != nil {
		return err
	}
	if registry := registryOf(name); registry != own {
		return &OtherRegistryError{Name: name, Registry: registry, Own: own}
	}
	return nil
}

// checkAdopted returns an [UnadoptedError] if the store has files without a registry that may be
// the tenant's.
func checkAdopted(ctx context.Context, store Store, id int64) error {
	names, err := namesOf(ctx, store, legacyPrefix(id))
	if err == nil && len(names) > 0 {
		err = &UnadoptedError{TenantID: id, Names: names}
	}
	return err
}

// namesOf lists the files whose names begin with prefix.
func namesOf(ctx context.Context, store Store, prefix string) ([]string, error) {
	names := []string{}
	for o, err := range store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		names = append(names, o.Name)
	}
	return names, nil
}

// checkIdentity returns [tenancy.ErrNoIdentity] for a tenant without a registry: its files could
// not be distinguished from those of another registry.
func checkIdentity(t *tenancy.Tenant) error {
	if t.Registry == "" {
		return tenancy.ErrNoIdentity
	}
	return nil
}
