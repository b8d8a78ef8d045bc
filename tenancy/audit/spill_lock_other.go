//go:build !unix

package audit

import "os"

// lockFile does nothing: on this system the program must ensure that no two processes share a
// directory.
func lockFile(*os.File) error { return nil }

// ownedByProcess cannot check: on this system the program must protect the directory.
func ownedByProcess(os.FileInfo) bool { return true }

// syncDirectory does nothing: directories cannot be flushed on this system.
func syncDirectory(*os.File) error { return nil }
