package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The hash of a row covers its details, and jsonb returns details with other key order and spacing.
// So both sides convert details to a canonical form first: sorted keys, no spaces, numbers without
// exponent and trailing zeros, minimal escaping. The form contains nothing that jsonb refuses or
// rounds.

const (
	maxDepth  = 32  // jsonb is parsed on the server's stack
	maxDigits = 400 // of a number, on each side of the point
)

var (
	errDepth  = errors.New("is nested too deeply")
	errNumber = errors.New("holds a number that is too large")
)

// canonical returns the canonical form of a JSON value. The form is its own canonical form, also
// after a round trip through jsonb. Values of keys for which hide returns true are replaced; a nil
// hide hides nothing.
func canonical(text []byte, hide func(key string) bool) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return appendValue(make([]byte, 0, len(text)), v, 0, hide)
}

func appendValue(b []byte, v any, depth int, hide func(string) bool) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		return appendNumber(b, string(v))
	case []any:
		return appendArray(b, v, depth, hide)
	case map[string]any:
		return appendObject(b, v, depth, hide)
	}
	return nil, fmt.Errorf("a %T in JSON", v)
}

func appendArray(b []byte, list []any, depth int, hide func(string) bool) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v, depth+1, hide); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, object map[string]any, depth int, hide func(string) bool) (_ []byte, err error) {
	storable := make(map[string]any, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		storable[clean(key)] = object[key] // two keys may become equal
	}
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(storable)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key), ':')
		v := storable[key]
		if hide != nil && hide(key) {
			v = redacted
		}
		if b, err = appendValue(b, v, depth+1, hide); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string that jsonb accepts.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[from:i]...)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == 0 || c >= utf8.RuneSelf:
			b = append(b, "\uFFFD"...)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// appendNumber appends a JSON number as jsonb prints it, without the trailing zeros that jsonb
// keeps.
func appendNumber(b []byte, n string) ([]byte, error) {
	negative := strings.HasPrefix(n, "-")
	n = strings.TrimPrefix(n, "-")
	exp := 0
	if i := strings.IndexAny(n, "eE"); i >= 0 {
		var err error
		if exp, err = strconv.Atoi(n[i+1:]); err != nil || exp > 2*maxDigits || exp < -2*maxDigits {
			return nil, errNumber
		}
		n = n[:i]
	}
	whole, fraction, _ := strings.Cut(n, ".")
	switch {
	case exp > 0:
		fraction += strings.Repeat("0", max(0, exp-len(fraction)))
		whole, fraction = whole+fraction[:exp], fraction[exp:]
	case exp < 0:
		whole = strings.Repeat("0", max(0, -exp-len(whole))) + whole
		whole, fraction = whole[:len(whole)+exp], whole[len(whole)+exp:]+fraction
	}
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if len(whole) > maxDigits || len(fraction) > maxDigits {
		return nil, errNumber
	}
	if negative && whole+fraction != "" {
		b = append(b, '-')
	}
	if whole == "" {
		whole = "0"
	}
	b = append(b, whole...)
	if fraction != "" {
		b = append(append(b, '.'), fraction...)
	}
	return b, nil
}

// clean returns s as PostgreSQL can store it: valid UTF-8 without NUL.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}
