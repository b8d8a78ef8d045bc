package platformuser

import (
	"net/mail"
	"strings"

	"github.com/oryne/pgtenant/internal/hostname"
	"github.com/oryne/pgtenant/internal/text"
	"github.com/oryne/pgtenant/tenancy"
)

// MaxEmailLen is the longest email address, in bytes (RFC 5321, 4.5.3.1.3, without the angle
// brackets).
const MaxEmailLen = 254

// maxLocalLen is the longest part of an address in front of the @ (RFC 5321, 4.5.3.1.1).
const maxLocalLen = 64

// NormalizeEmail returns the form of an email address under which a [Store] knows it: lower case,
// with the domain in the form of [tenancy.NormalizeHost]. email is a plain address, without a
// display name, comments or quotes. In front of the @ it is ASCII, so that no two addresses look
// alike there. The error is a [tenancy.FieldError].
func NormalizeEmail(email string) (string, error) {
	refuse := func(rule string) (string, error) {
		return "", &tenancy.FieldError{Field: "email", Value: text.Clip(email), Rule: rule}
	}
	if len(email) > MaxEmailLen {
		return refuse("is longer than 254 bytes")
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email {
		return refuse("is not an email address")
	}
	at := strings.LastIndexByte(email, '@')
	local, domain := email[:at], email[at+1:]
	if len(local) > maxLocalLen {
		return refuse("is longer than 64 bytes in front of the @")
	}
	for i := range len(local) {
		if local[i] >= 0x80 {
			return refuse("is not ASCII in front of the @")
		}
	}
	host, err := hostname.NormalizeDomain(domain)
	if err != nil {
		return refuse("does not end in a valid domain name")
	}
	normal := strings.ToLower(local) + "@" + host
	if len(normal) > MaxEmailLen { // an internationalised domain is longer in ASCII
		return refuse("is longer than 254 bytes")
	}
	return normal, nil
}
