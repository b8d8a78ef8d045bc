package tenanthttp

import (
	"net/netip"
	"strings"

	"github.com/oryne/pgtenant/tenancy"
)

// maxShown is how much of a malformed header an error shows, in bytes.
const maxShown = 253

// element is the part of a Forwarded header that one proxy adds (RFC 7239, section 4).
type element struct{ node, host, proto string }

// lastForwarded returns the element of the last proxy. The lines of a header are one list, and the
// proxy has either appended to the last line or added a line. A malformed last line is a
// [tenancy.FieldError] that wraps [tenancy.ErrInvalidHost]: the client's part of it, such as an
// open quote, could change the meaning of the proxy's part.
func lastForwarded(lines []string) (element, error) {
	if len(lines) == 0 {
		return element{}, nil
	}
	last := lines[len(lines)-1]
	elements, ok := parseForwarded(last)
	if !ok {
		return element{}, &tenancy.FieldError{
			Field: "forwarded",
			Value: last[:min(len(last), maxShown)],
			Rule:  "is malformed",
			Err:   tenancy.ErrInvalidHost,
		}
	}
	if len(elements) == 0 {
		return element{}, nil
	}
	return elements[len(elements)-1], nil
}

// forwardedNodes returns the "for" nodes of all elements in order. Nodes in or before a malformed
// line are left out.
func forwardedNodes(lines []string) (nodes []string) {
	for _, line := range lines {
		elements, ok := parseForwarded(line)
		if !ok {
			nodes = nil
		}
		for _, e := range elements {
			nodes = append(nodes, e.node)
		}
	}
	return nodes
}

// parseForwarded parses a line of a Forwarded header. It skips empty elements, which lists allow.
func parseForwarded(line string) (elements []element, ok bool) {
	var e element
	seen := map[string]bool{} // parameters of the element: each may occur once
	rest := line
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != ';' && rest[0] != ',' {
			var name, value string
			if name, value, rest, ok = cutPair(rest); !ok || seen[name] {
				return nil, false
			}
			seen[name] = true
			e.set(name, value)
			rest = strings.TrimLeft(rest, " \t")
		}
		if rest == "" || rest[0] == ',' {
			if len(seen) > 0 {
				elements = append(elements, e)
			}
			e = element{}
			clear(seen)
		}
		if rest == "" {
			return elements, true
		}
		if rest[0] != ';' && rest[0] != ',' {
			return nil, false
		}
		rest = rest[1:]
	}
}

func (e *element) set(name, value string) {
	switch name {
	case "for":
		e.node = value
	case "host":
		e.host = value
	case "proto":
		e.proto = strings.ToLower(value)
	}
}

// cutPair cuts a parameter from s: its name in lower case, and its value, a token or a quoted
// string.
func cutPair(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(s, "=")
	if !ok || !isToken(name) {
		return "", "", "", false
	}
	name = strings.ToLower(name)
	if strings.HasPrefix(s, `"`) {
		value, rest, ok = cutQuoted(s[1:])
		return name, value, rest, ok
	}
	end := strings.IndexAny(s, ";, \t")
	if end < 0 {
		end = len(s)
	}
	value, rest = s[:end], s[end:]
	// Many proxies write a port or an IPv6 address without the quotes that the RFC requires, so ':',
	// '[' and ']' are allowed in a token.
	return name, value, rest, value != "" && isToken(strings.Map(unquotedNode, value))
}

func unquotedNode(r rune) rune {
	if r == ':' || r == '[' || r == ']' {
		return '-'
	}
	return r
}

// cutQuoted cuts a quoted string from s, which begins after the opening quote.
func cutQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// lastValue returns the last value of a list without quotes, such as X-Forwarded-Host, or "".
func lastValue(lines []string) string {
	list := reverseList{lines: lines}
	value, _ := list.next()
	return value
}

// reverseList iterates from its end over a list of values without quotes. Values at the beginning
// of the list, which a client may have added, cost nothing.
type reverseList struct {
	lines []string // not read yet
	line  string   // the unread part of the current line
	open  bool     // whether there is a current line
}

// next returns the value before the last one that it returned, or false at the beginning of the
// list.
func (b *reverseList) next() (value string, ok bool) {
	if !b.open {
		last := len(b.lines) - 1
		if last < 0 {
			return "", false
		}
		b.line, b.lines, b.open = b.lines[last], b.lines[:last], true
	}
	comma := strings.LastIndexByte(b.line, ',')
	value = strings.Trim(b.line[comma+1:], " \t")
	b.line, b.open = b.line[:max(comma, 0)], comma >= 0
	return value, true
}

// parseNode parses an address in the forms that proxies write: with or without a port, IPv6 with or
// without brackets.
func parseNode(node string) (netip.Addr, bool) {
	bare := node
	if inner, ok := strings.CutPrefix(node, "["); ok && strings.HasSuffix(inner, "]") && strings.Contains(inner, ":") {
		bare = inner[:len(inner)-1]
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		withPort, err := netip.ParseAddrPort(node)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}
