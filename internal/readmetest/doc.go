// Package readmetest compiles the program in the README, so that what a reader copies works.
// It has tests alone.
package readmetest
