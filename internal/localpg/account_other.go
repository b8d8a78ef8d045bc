//go:build !unix

package localpg

import (
	"errors"
	"io/fs"
	"os"
)

var errUnsupported = errors.New(
	"localpg: starting PostgreSQL is not supported on this system; give the URL of a running server",
)

func (account) mayEnter(fs.FileInfo) bool { return true }
func (account) owns(fs.FileInfo) bool     { return false }
func lockFile(*os.File) error             { return errUnsupported }
func alive(int) bool                      { return false }

var fastShutdown, immediateShutdown os.Signal = os.Interrupt, os.Kill
