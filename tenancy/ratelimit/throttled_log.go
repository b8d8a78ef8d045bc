package ratelimit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// throttledLog writes at most one record a second. The errors that it logs can happen with each
// request, and a flood of requests must not become a flood of log records.
type throttledLog struct {
	logger  *slog.Logger
	started time.Time
	next    atomic.Int64 // nanoseconds from started
	left    atomic.Int64 // records suppressed since the last one
}

func newThrottledLog(logger *slog.Logger) *throttledLog {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &throttledLog{logger: logger, started: time.Now()}
}

func (l *throttledLog) error(ctx context.Context, message string, err error) {
	now, next := int64(time.Since(l.started)), l.next.Load()
	if now < next || !l.next.CompareAndSwap(next, now+int64(time.Second)) {
		l.left.Add(1)
		return
	}
	l.logger.ErrorContext(ctx, message, slog.Any("error", err), slog.Int64("left_out", l.left.Swap(0)))
}
