// Package readmetest compiles the program in the README, so that a copy of it works. It has only
// tests.
package readmetest
