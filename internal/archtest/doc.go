// Package archtest holds the rules of the source tree and the tests that enforce them: which
// package may import which, where test code may be linked, what must be documented and where, and
// which directories exist.
//
// The rules are data in rules.go, ordered from the top layer down. The error for a broken rule
// names the file and the reason for the rule. To change the architecture, change that table in the
// commit that needs it.
//
// The files are parsed, not built. So the rules apply to all platforms and build tags at once, and
// also to a tree that does not compile. The tree is the modules that go.work lists; other nested
// modules are not part of it.
package archtest
