package backup

import "time"

// SetClock has a service believe that it is another time.
func SetClock(s *Service, now func() time.Time) { s.clock = now }
