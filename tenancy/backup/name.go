package backup

// CheckName returns an error for what is no name of a file in a [Store]: parts of ASCII letters, digits, "-", "_" and ".", none of which
// begins with a dot or is empty, between slashes. It is for implementations.
func CheckName(name string) error { return checkName(name) }
