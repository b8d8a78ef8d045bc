package localpg

import "time"

// WithTimeouts sets how long a download may take, and a server that says that it is ready.
func WithTimeouts(cfg Config, download, ready time.Duration) Config {
	cfg.downloadTimeout, cfg.readyTimeout = download, ready
	return cfg
}
