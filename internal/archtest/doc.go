// Package archtest holds the rules of the source tree and the tests that enforce them: which package may
// import which, where test code may be linked, what is documented and where, and which directories exist.
//
// The rules are data, in rules.go, and read from the top down like the tree's layers. Whoever breaks one is
// told the file and the reason for the rule. To change the architecture is to change that table, in the
// commit that needs it.
//
// The files are parsed, not built. So the rules hold for all platforms and build tags at once, and a tree
// that does not compile still gets an answer. Modules nested in the tree are not part of it.
package archtest
