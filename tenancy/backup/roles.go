package backup

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
)

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
		if want := s.cfg.Roles.Owner(); role != want {
			err := &schemactx.LoginError{Login: role, Kind: schemactx.LoginOther, Want: want}
			return fmt.Errorf("backup.Config.%s: %w", name, err)
		}
	}
	return nil
}
