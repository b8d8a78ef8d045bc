// Package storetest is the conformance suite of [backup.Store]. Implementations in other modules
// can use it too.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) backup.Store { return newStore(t) })
//	}
package storetest
