package backup

import (
	"errors"
	"fmt"
)

var (
	// ErrTool is wrapped by a [ToolError].
	ErrTool = errors.New("pg_dump failed")

	// ErrToolVersion is wrapped by a [ToolVersionError].
	ErrToolVersion = errors.New("pg_dump is older than the server")
)

// ToolError is returned by [Service.Dump] and [Service.DumpTo] if pg_dump was not found or failed.
type ToolError struct {
	Tool    string // path
	Message string // beginning of its standard error, as one line, without the password
	Err     error  // exit status, or the reason why it was not started
}

// Error returns the path, the cause and the tool's message.
func (e *ToolError) Error() string {
	text := fmt.Sprintf("%s: %v: %v", e.Tool, ErrTool, e.Err)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap returns [ErrTool] and the cause.
func (e *ToolError) Unwrap() []error { return []error{ErrTool, e.Err} }

// ToolVersionError is returned by [Service.Dump] and [Service.DumpTo] if the major version of
// pg_dump is lower than the server's. pg_dump cannot dump newer servers. Nothing was written.
type ToolVersionError struct {
	Tool    string // path
	Version int    // major version of the tool
	Server  int    // major version of the server
}

// Error returns both versions.
func (e *ToolVersionError) Error() string {
	return fmt.Sprintf("%s: %v: pg_dump has version %d, the server %d", e.Tool, ErrToolVersion, e.Version, e.Server)
}

// Unwrap returns [ErrToolVersion].
func (e *ToolVersionError) Unwrap() error { return ErrToolVersion }
