package manage

import (
	"context"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// BackupProgress makes a command show the progress of its backup or restore on a terminal. Set it
// as [backup.Config].Progress, or call it from the program's own Progress function. Outside of a
// command it does nothing.
func BackupProgress(ctx context.Context, e backup.Event) {
	if bar, ok := ctx.Value(barKey{}).(*progress); ok {
		bar.of(e.Done, e.Tables, 0)
	}
}

type barKey struct{}

// withBar returns a context with which [BackupProgress] draws a bar on stderr, and a function that
// removes the bar. Without a terminal nothing is drawn.
func (c *call) withBar(ctx context.Context, what string) (with context.Context, end func()) {
	if !isTerminal(c.stderr()) {
		return ctx, func() {}
	}
	bar := c.progress(what, "table")
	return context.WithValue(ctx, barKey{}, bar), bar.end
}
