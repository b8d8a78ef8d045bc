package metrics

import "errors"

// ErrWatching is returned by [Metrics.Watch] when sources were given before.
var ErrWatching = errors.New("metrics: sources are being watched already")
