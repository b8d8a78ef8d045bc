package localpg

import "time"

// WithTimeouts sets the timeouts of a download and of a server that is ready but does not answer.
func WithTimeouts(cfg Config, download, ready time.Duration) Config {
	cfg.downloadTimeout, cfg.readyTimeout = download, ready
	return cfg
}
