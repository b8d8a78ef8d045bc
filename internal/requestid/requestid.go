package requestid

// Allowed reports whether a request id may contain the byte c: an ASCII letter, a digit, or one of
// "-_.:=+". The ids of common proxies and trace libraries have no other characters. All other bytes
// are excluded, because some of them could end a name, a quoted text or a line of a log. '/' is
// excluded because it separates the schema from the id in an application_name.
func Allowed(c byte) bool { return allowed[c] }

var allowed = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:=+") {
		set[c] = true
	}
	return set
}()
