package tenancy

import (
	"context"
	"strings"
	"unicode"
)

// MaxActorLen is the longest name of who asks for a drop or approves it, in characters.
const MaxActorLen = 200

// validateActor refuses what names no person, and what would make two names of one person.
func validateActor(actor string) error {
	refuse := func(rule string) error { return &FieldError{Field: "actor", Value: actor, Rule: rule} }
	if strings.TrimSpace(actor) != actor || actor == "" {
		return refuse("is empty, or begins or ends with a space")
	}
	if err := validateText("actor", actor, MaxActorLen, "is longer than 200 characters"); err != nil {
		return err
	}
	if strings.ContainsFunc(actor, invisible) {
		return refuse("holds an invisible character or a space of another kind")
	}
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }
	for word := range strings.FieldsFuncSeq(actor, between) {
		if strings.ContainsFunc(word, latin) && strings.ContainsFunc(word, likeLatin) {
			return refuse("mixes, in one word, letters of alphabets that look alike")
		}
	}
	return nil
}

// invisible reports whether a character is not to be seen. Some that are not count as letters,
// marks or symbols: the Hangul fillers, the grapheme joiner, the blank Braille pattern.
func invisible(r rune) bool {
	return !unicode.IsPrint(r) || r == '\u2800' ||
		unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

func latin(r rune) bool { return unicode.Is(unicode.Latin, r) }

// likeLatin reports whether a letter is of an alphabet that has letters like the Latin ones.
func likeLatin(r rune) bool {
	return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
}

// sameActor reports whether two names are one person's: they differ in case, in the number of
// spaces or in how Unicode writes the same characters. The server normalizes them, as Go's library
// does not.
func (m *Manager) sameActor(ctx context.Context, a, b string) (bool, error) {
	a, b = strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " ")
	if strings.EqualFold(a, b) {
		return true, nil
	}
	// Other encodings cannot normalize, not even when the query is planned: hence the offset.
	err := m.registry.QueryRow(ctx, `select case when utf8 then normalize(a, nfkc) else a end,
			case when utf8 then normalize(b, nfkc) else b end
		from (select $1::text as a, $2::text as b, pg_catalog.getdatabaseencoding() = 'UTF8' as utf8 offset 0) names`, a, b).
		Scan(&a, &b)
	return strings.EqualFold(a, b), err
}
