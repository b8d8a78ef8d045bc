package schemactx

import (
	"context"
	"log/slog"
)

// LogSwitches returns a function for [Hooks].SchemaSwitch that logs each call of [WithSchema] or
// [WithPublic]: the schema, the previous schema, and the place in the program. The level is Info.
// The context is that of the first unit of work, so a handler can add the request. A nil logger
// discards all records.
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
