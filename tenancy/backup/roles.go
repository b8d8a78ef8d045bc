package backup

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
)

// checkRoles checks, before a schema is built, that the pools work as the owner. The tables and
// partitions that another role makes belong to that role, and the owner could neither migrate nor
// back them up later.
func (s *Service) checkRoles(ctx context.Context) error {
	var pool string
	if err := s.cfg.Pool.QueryRow(ctx, "select current_user").Scan(&pool); err != nil {
		return fmt.Errorf("look at the login of Config.Pool: %w", err)
	}
	migrations, err := s.cfg.Migrations.Role(ctx)
	if err != nil {
		return err
	}
	for name, role := range map[string]string{"Pool": pool, "Migrations": migrations} {
		if want := s.cfg.Roles.Owner(); role != want {
			return fmt.Errorf("backup.Config.%s: %w", name, &schemactx.LoginError{Login: role, Kind: schemactx.LoginOther, Want: want})
		}
	}
	return nil
}
