package ratelimit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// quietLog writes at most one record a second: what it tells of happens with each request, and a
// flood must not become one of the log.
type quietLog struct {
	logger  *slog.Logger
	started time.Time
	next    atomic.Int64 // nanoseconds from started
	left    atomic.Int64 // out since the last record
}

func newQuietLog(logger *slog.Logger) *quietLog {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &quietLog{logger: logger, started: time.Now()}
}

func (l *quietLog) error(ctx context.Context, message string, err error) {
	now, next := int64(time.Since(l.started)), l.next.Load()
	if now < next || !l.next.CompareAndSwap(next, now+int64(time.Second)) {
		l.left.Add(1)
		return
	}
	l.logger.ErrorContext(ctx, message, slog.Any("error", err), slog.Int64("left_out", l.left.Swap(0)))
}
