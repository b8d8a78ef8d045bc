package hostname

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxLen is the longest name in the DNS, in its textual form (RFC 1035, 2.3.4).
const maxLen = 253

// maxLabelLen is the longest label of a name in the DNS.
const maxLabelLen = 63

// MaxShown is how much of a host an error shows, in bytes. A header may be a megabyte long. It is
// also the longest host that is looked at: no name is longer before it is mapped to ASCII, and idna
// would take long for it.
const MaxShown = 4 * maxLen

// Error is the rule that a host breaks, as the end of a sentence: "is empty".
type Error string

// Error returns the rule.
func (e Error) Error() string { return string(e) }

// Normalize returns the normal form of a host that a Host header may hold. The error is an [Error].
// A host that is in normal form already costs one pass over it and no allocation.
func Normalize(host string) (string, error) {
	if isNormal(host) {
		return host, nil
	}
	name, ok := cutPort(host)
	if !ok {
		return "", Error("has a malformed port or bracket")
	}
	if strings.Contains(name, ":") || strings.Trim(name, "0123456789.") == "" {
		if addr, err := netip.ParseAddr(name); err == nil { // the error of another call would cost an allocation
			return normalAddr(addr)
		}
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "", Error("is empty")
	}
	if len(name) > MaxShown {
		return "", Error("is longer than 253 bytes")
	}
	name, err := toASCII(name)
	if err != nil {
		return "", Error("is not a valid domain name")
	}
	if rule := brokenRule(name); rule != "" {
		return "", Error(rule)
	}
	return name, nil
}

// NormalizeDomain returns the normal form of a domain that a tenant may register: a host without a
// port that is no IP address. The error is an [Error].
func NormalizeDomain(domain string) (string, error) {
	host, err := Normalize(domain)
	if err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", Error("is an IP address")
	}
	if strings.Contains(domain, ":") {
		return "", Error("has a port")
	}
	return host, nil
}

// cutPort returns host without its port and without the brackets of an IPv6 address.
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

func normalAddr(addr netip.Addr) (string, error) {
	if addr.Zone() != "" {
		return "", Error("has a zone")
	}
	return addr.Unmap().String(), nil
}

// isNormal reports whether host is a domain name in normal form of the kind that nearly all
// requests have: 8 to 63 bytes, without "--", which may be punycode, and with a letter at the end.
// It looks at eight bytes at a time. A loop over single bytes took four times as long, and a
// request for an unknown host costs little else.
func isNormal(host string) bool {
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

// normalWord reports whether eight bytes are lower-case letters, digits, and single hyphens or
// dots.
func normalWord(s string) bool {
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	if x&highs != 0 {
		return false
	}
	// The high bit of a byte tells whether it is in the range: no byte is above 0x7f, so none carries
	// into the next.
	letters := (x + (0x80-'a')*ones) &^ (x + (0x7f-'z')*ones)
	digits := (x + (0x80-'0')*ones) &^ (x + (0x7f-'9')*ones)
	edges := (x + (0x80-'-')*ones) &^ (x + (0x7f-'.')*ones) & highs // '-' and '.' are neighbours
	return (letters|digits|edges)&highs == highs && edges&(edges<<8) == 0
}

// toASCII maps name to lower-case ASCII. A name in ASCII without punycode is only lowered.
func toASCII(name string) (string, error) {
	lower := strings.ToLower(name)
	if isASCII(name) && !strings.Contains(lower, "xn--") {
		return lower, nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err == nil && !utf8.ValidString(name) { // invalid bytes would be mapped to U+FFFD
		err = Error("is not valid UTF-8")
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

// brokenRule returns the rule that an ASCII domain name breaks, or "".
func brokenRule(name string) string {
	if len(name) > maxLen {
		return "is longer than 253 bytes"
	}
	label := ""
	for rest, more := name, true; more; {
		label, rest, more = strings.Cut(rest, ".")
		if !ValidLabel(label) {
			return "has a label that is not 1 to 63 letters, digits and inner hyphens"
		}
	}
	if strings.Trim(label, "0123456789") == "" {
		return "ends in a number but is not an IP address"
	}
	return ""
}

// ValidLabel reports whether label is a lower-case DNS label (RFC 1123, 2.1).
func ValidLabel(label string) bool {
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
