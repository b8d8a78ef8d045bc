package manage

import (
	"context"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// BackupProgress has a command show how far its backup or restore is, where there is a terminal. It
// is for [backup.Config].Progress, by itself or called by the program's own function, and does
// nothing outside of a command.
func BackupProgress(ctx context.Context, e backup.Event) {
	if bar, ok := ctx.Value(barKey{}).(*progress); ok {
		bar.of(e.Done, e.Tables, 0)
	}
}

type barKey struct{}

// withBar returns a context under which [BackupProgress] draws a bar, if there is a terminal to
// draw on, and what takes the bar away.
func (c *call) withBar(ctx context.Context, what string) (with context.Context, end func()) {
	if !isTerminal(c.stderr()) {
		return ctx, func() {}
	}
	bar := c.progress(what, "table")
	return context.WithValue(ctx, barKey{}, bar), bar.end
}
