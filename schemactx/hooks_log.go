package schemactx

import (
	"context"
	"log/slog"
)

// LogSwitches returns a function for [Hooks].SchemaSwitch that writes a record to logger for every
// schema that was named by hand: which one, from which one, and where in the program. Its level is
// Info, its context that of the first unit of work, so that a handler can add whose request it was.
// A nil logger discards.
func LogSwitches(logger *slog.Logger) func(ctx context.Context, data SchemaSwitch) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return func(ctx context.Context, d SchemaSwitch) {
		logger.LogAttrs(ctx, slog.LevelInfo, "explicit switch of schema",
			slog.String("to", d.Schema), slog.String("from", d.From),
			slog.String("file", d.File), slog.Int("line", d.Line), slog.String("func", d.Func))
	}
}
