// Package hostname brings the host of a request, and a domain that a tenant registers, into one
// normal form.
//
// The normal form is lower case, with internationalised names in ASCII (IDNA, punycode), without
// port and trailing dot. An IP address is in its canonical text, IPv6 without brackets.
package hostname
