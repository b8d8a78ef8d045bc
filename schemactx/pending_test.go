package schemactx_test

// The cells that the engine does not fill as it should, by "row title/column", and what it
// does instead. Delete this file when none is left, and write ATTACKS.md again.
func init() {
	pending = map[string]string{
		"2 change the path, then read, in one batch/PathOnly":                                                  "leaks",
		"3 take b's role where the library does not see it, then read/Roles":                                   "leaks",
		"3 have the server read strings in another way, take b's role in what looks like one, then read/Roles": "leaks",
		"3 the same by another encoding/Roles":                                                                 "leaks",
		"3 take b's role, then read, in one batch/Roles":                                                       "leaks",
		"8 the same by a cursor that runs as the transaction commits/Roles":                                    "leaks",
		"18 keep an advisory lock where the library does not see it/PathOnly":                                  "leaks",
		"18 keep an advisory lock where the library does not see it/Roles":                                     "leaks",
		"18 keep an advisory lock where the library does not see it/Roles, hardened":                           "leaks",
	}
}
