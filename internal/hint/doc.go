// Package hint formats commands and URLs for error messages.
package hint
