package metrics

import "errors"

// ErrWatching is returned by [Metrics.Watch] if it was called before.
var ErrWatching = errors.New("metrics: sources are being watched already")
