package backup_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// An eraser removes what the program keeps of tenants elsewhere, or reports what stays and why.
func ExampleService_Erase() {
	p := openHosting(func(_ *tenancy.Config, b *backup.Config) {
		b.Erasers = []backup.Eraser{backup.EraserFunc(func(_ context.Context, d backup.EraseData) (backup.EraseResult,
			error,
		) {
			return backup.EraseResult{Kept: []backup.CertifiedItem{
				{What: "rows of the access log", Name: "12", Why: "are kept for a year, without names and addresses"},
			}}, nil
		})}
	})
	defer p.close()
	ctx := context.Background()

	request, err := p.tenants.RequestDrop(ctx, "north", "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	certificate, err := p.backups.Erase(ctx, backup.EraseParams{
		DropParams: tenancy.DropParams{Slug: "north", Actor: "ada", Token: request.Token},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(certificate.Text()) {
		if strings.HasPrefix(line, "- domain") || strings.HasPrefix(line, "- rows") || strings.HasPrefix(line, "- schema") {
			fmt.Print(line)
		}
	}

	// Output:
	// - schema with its contents tenant_1
	// - domain north.example.com
	// - rows of the access log 12: are kept for a year, without names and addresses
}
