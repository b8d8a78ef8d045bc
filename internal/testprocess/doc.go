// Package testprocess starts a server process for a test. The process has no privileges, and it
// ends with the test process.
package testprocess
