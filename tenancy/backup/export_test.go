package backup

import "time"

// SetClock replaces the clock of a service.
func SetClock(s *Service, now func() time.Time) { s.clock = now }
