package backup

import (
	"errors"
	"fmt"
)

var (
	// ErrTool is what a [ToolError] wraps.
	ErrTool = errors.New("tool has not done its work")

	// ErrToolVersion is what a [ToolVersionError] wraps.
	ErrToolVersion = errors.New("tool is older than the server")
)

// ToolError is returned by [Service.Dump] and [Service.DumpTo] when pg_dump is not there or has stopped.
type ToolError struct {
	Tool    string // its path
	Message string // the beginning of what it had to say, as one line, without the password
	Err     error  // an exit status, or why it was not begun
}

// Error returns the tool, the cause and the tool's message.
func (e *ToolError) Error() string {
	text := fmt.Sprintf("%s: %v: %v", e.Tool, ErrTool, e.Err)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap returns [ErrTool] and the cause.
func (e *ToolError) Unwrap() []error { return []error{ErrTool, e.Err} }

// ToolVersionError is returned by [Service.Dump] and [Service.DumpTo] where pg_dump is of an older major version than the server, which
// it cannot know. Nothing was written.
type ToolVersionError struct {
	Tool    string // its path
	Version int    // its major version
	Server  int    // the server's
}

// Error returns both versions.
func (e *ToolVersionError) Error() string {
	return fmt.Sprintf("%s: %v: it is of PostgreSQL %d, the server of %d", e.Tool, ErrToolVersion, e.Version, e.Server)
}

// Unwrap returns [ErrToolVersion].
func (e *ToolVersionError) Unwrap() error { return ErrToolVersion }
