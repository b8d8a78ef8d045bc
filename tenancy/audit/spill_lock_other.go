//go:build !unix

package audit

import "os"

// lockFile does nothing: here it is the program's duty that no two processes have one directory.
func lockFile(*os.File) error { return nil }

// ownedByProcess does not know: here it is the program's duty, too.
func ownedByProcess(os.FileInfo) bool { return true }

// syncDirectory does nothing: directories cannot be synced here.
func syncDirectory(*os.File) error { return nil }
