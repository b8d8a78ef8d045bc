package tenancy

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHostLen is the longest name in the DNS, in its textual form (RFC 1035, 2.3.4).
const maxHostLen = 253

// maxLabelLen is the longest label of a name in the DNS.
const maxLabelLen = 63

// NormalizeHost returns the one form of a host under which the registry knows it: lower
// case, internationalised names in ASCII (IDNA, punycode), without port and trailing dot; an
// IP address in its canonical text, IPv6 without brackets. It takes what a Host header may
// hold. The error is a [FieldError] that wraps [ErrInvalidHost].
//
// A host that is in this form already costs one pass over it and no allocation.
func NormalizeHost(host string) (string, error) {
	if normalHost(host) {
		return host, nil
	}
	name, ok := cutPort(host)
	if !ok {
		return "", hostError(host, "has a malformed port or bracket")
	}
	if strings.Contains(name, ":") || strings.Trim(name, "0123456789.") == "" {
		if addr, err := netip.ParseAddr(name); err == nil { // its error would cost an allocation
			return normalAddr(host, addr)
		}
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "", hostError(host, "is empty")
	}
	if len(name) > 4*maxHostLen { // more than any name before its mapping; idna would work on it for long
		return "", hostError(host, "is longer than 253 bytes")
	}
	name, err := lowerHost(name)
	if err != nil {
		return "", hostError(host, "is not a valid domain name")
	}
	if rule := checkHost(name); rule != "" {
		return "", hostError(host, rule)
	}
	return name, nil
}

// normalizeDomain returns the normal form of a domain that a tenant may register: a host
// that is no IP address, which names a machine and not a customer, and has no port.
func normalizeDomain(domain string) (string, error) {
	refuse := func(rule string) error {
		return &FieldError{Field: "domain", Value: domain[:min(len(domain), 4*maxHostLen)], Rule: rule, Err: ErrInvalidHost}
	}
	host, err := NormalizeHost(domain)
	if fe := (*FieldError)(nil); errors.As(err, &fe) {
		return "", refuse(fe.Rule)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", refuse("is an IP address")
	}
	if strings.Contains(domain, ":") {
		return "", refuse("has a port")
	}
	return host, nil
}

// hostError shows as much of a host as a valid one can have, as a header may be a megabyte.
func hostError(host, rule string) error {
	return &FieldError{Field: "host", Value: host[:min(len(host), 4*maxHostLen)], Rule: rule, Err: ErrInvalidHost}
}

// cutPort takes a port and the brackets of an IPv6 address off.
func cutPort(host string) (name string, ok bool) {
	if rest, found := strings.CutPrefix(host, "["); found {
		name, after, found := strings.Cut(rest, "]")
		if !found || !strings.Contains(name, ":") {
			return "", false
		}
		port, hasPort := strings.CutPrefix(after, ":")
		return name, after == "" || hasPort && validPort(port)
	}
	name, port, found := strings.Cut(host, ":")
	if found && strings.Contains(port, ":") { // an IPv6 address without brackets
		return host, true
	}
	return name, !found || validPort(port)
}

// validPort allows the empty port, as RFC 3986 does.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '+'
}

func normalAddr(host string, addr netip.Addr) (string, error) {
	if addr.Zone() != "" {
		return "", hostError(host, "has a zone")
	}
	return addr.Unmap().String(), nil
}

// normalHost reports whether host is a domain name in normal form, for those that nearly all requests have: of 8 to 63
// bytes, without "--", which may be punycode, and with a letter at the end. It looks at eight bytes at a time, as an
// unknown host costs little else; a loop over single bytes took four times as long.
func normalHost(host string) bool {
	n := len(host)
	if n < 8 || n > maxLabelLen {
		return false
	}
	if first, last := host[0], host[n-1]; first == '-' || first == '.' || last < 'a' || last > 'z' {
		return false
	}
	for i := 0; i < n-8; i += 7 { // so that any two neighbours are in one word
		if !normalWord(host[i : i+8]) {
			return false
		}
	}
	return normalWord(host[n-8:])
}

// normalWord reports whether eight bytes are lower-case letters, digits, and single hyphens or dots.
func normalWord(s string) bool {
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	if x&highs != 0 {
		return false
	}
	// The high bit of a byte tells whether it is in the range: no byte is above 0x7f, so none carries into the next.
	letters := (x + (0x80-'a')*ones) &^ (x + (0x7f-'z')*ones)
	digits := (x + (0x80-'0')*ones) &^ (x + (0x7f-'9')*ones)
	edges := (x + (0x80-'-')*ones) &^ (x + (0x7f-'.')*ones) & highs // '-' and '.' are neighbours
	return (letters|digits|edges)&highs == highs && edges&(edges<<8) == 0
}

// lowerHost maps name to lower-case ASCII. What is ASCII already and no punycode needs no more than that.
func lowerHost(name string) (string, error) {
	lower := strings.ToLower(name)
	if isASCII(name) && !strings.Contains(lower, "xn--") {
		return lower, nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err == nil && !utf8.ValidString(name) { // invalid bytes would be mapped to U+FFFD
		err = ErrInvalidHost
	}
	return ascii, err
}

func isASCII(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checkHost returns the rule that an ASCII domain name breaks, or "".
func checkHost(name string) string {
	if len(name) > maxHostLen {
		return "is longer than 253 bytes"
	}
	label := ""
	for rest, more := name, true; more; {
		label, rest, more = strings.Cut(rest, ".")
		if !validLabel(label) {
			return "has a label that is not 1 to 63 letters, digits and inner hyphens"
		}
	}
	if strings.Trim(label, "0123456789") == "" {
		return "ends in a number but is not an IP address"
	}
	return ""
}

// validLabel reports whether label is a lower-case DNS label (RFC 1123, 2.1).
func validLabel(label string) bool {
	if label == "" || len(label) > maxLabelLen || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
