// Package platformtest has the test that the programs of all frameworks pass.
//
//	func TestChiServesTenants(t *testing.T) {
//		t.Parallel()
//		platformtest.ServesTenants(t, routes)
//	}
package platformtest
