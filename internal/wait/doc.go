// Package wait has the pauses between attempts.
//
//	for attempt := 0; try() != nil && wait.Sleep(ctx, wait.Backoff(attempt, a, b)); attempt++ {
//	}
package wait
