package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// A customer wants SQL. A pg_dump that is older than the server is refused before it has written
// anything.
func ExampleService_DumpTo() {
	p := openHosting(nil)
	defer p.close()

	var script bytes.Buffer
	_, err := p.backups.DumpTo(context.Background(), "north", &script, backup.DumpOptions{Format: backup.DumpPlain})
	refused := errors.Is(err, backup.ErrToolVersion) // Install the client programs of the server's version.
	if err != nil && !refused {
		fmt.Println(err)
		return
	}
	fmt.Println("of north, or refused:", strings.Contains(script.String(), "of north") != refused)
	fmt.Println("of south:", strings.Contains(script.String(), "of south"))

	// Output:
	// of north, or refused: true
	// of south: false
}
