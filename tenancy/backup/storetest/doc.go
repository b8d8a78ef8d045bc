// Package storetest is the conformance suite of [backup.Store], for its implementations here and elsewhere.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) backup.Store { return newStore(t) })
//	}
package storetest
