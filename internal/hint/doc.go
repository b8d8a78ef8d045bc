// Package hint writes commands for people to type.
package hint
