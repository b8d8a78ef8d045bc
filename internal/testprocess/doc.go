// Package testprocess starts a server process for a test. The process does not run as root, and it
// ends with the test process.
package testprocess
