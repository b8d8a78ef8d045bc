package backup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// errBoundText is returned for a text that is not a bound as PostgreSQL prints it.
var errBoundText = errors.New("has bounds that cannot be parsed")

// parseBound parses a partition's bounds as pg_get_expr prints them.
func parseBound(text string) (b archive.Bound, err error) {
	p := &boundText{rest: text}
	switch {
	case p.take("DEFAULT"):
	case p.take("FOR VALUES IN "):
		b.Strategy = archive.StrategyList
		b.Values = p.list()
	case p.take("FOR VALUES FROM "):
		b.Strategy = archive.StrategyRange
		b.From = p.list()
		p.want(" TO ")
		b.To = p.list()
	case p.take("FOR VALUES WITH (modulus "):
		b.Strategy = archive.StrategyHash
		b.Modulus = p.number()
		p.want(", remainder ")
		b.Remainder = p.number()
		p.want(")")
	default:
		p.failed = true
	}
	if p.failed || p.rest != "" {
		return archive.Bound{}, fmt.Errorf("%w: %s", errBoundText, text)
	}
	return b, nil
}

// boundText is the part of a bound's text that remains to be parsed.
type boundText struct {
	rest   string
	failed bool
}

func (p *boundText) take(prefix string) (ok bool) {
	p.rest, ok = strings.CutPrefix(p.rest, prefix)
	return ok
}

func (p *boundText) want(text string) { p.failed = !p.take(text) || p.failed }

// word consumes text up to a comma, a parenthesis, a quote or a space.
func (p *boundText) word() string {
	n := strings.IndexAny(p.rest, ",()' ")
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

func (p *boundText) number() int {
	n, err := strconv.ParseUint(p.word(), 10, 31)
	p.failed = p.failed || err != nil
	return int(n) //nolint:gosec // 31 bits
}

func (p *boundText) list() (all []archive.Datum) {
	p.want("(")
	for !p.failed {
		all = append(all, p.datum())
		if p.take(")") {
			return all
		}
		p.want(", ")
	}
	return nil
}

func (p *boundText) datum() archive.Datum {
	if p.take("'") || p.take("B'") { // B'...' is a bit string
		return archive.Datum{Text: p.quoted()}
	}
	switch word := p.word(); word {
	case "":
		p.failed = true
	case "NULL":
		return archive.Datum{Kind: archive.DatumNull}
	case "MINVALUE":
		return archive.Datum{Kind: archive.DatumMin}
	case "MAXVALUE":
		return archive.Datum{Kind: archive.DatumMax}
	default: // a number, or true, or false
		return archive.Datum{Text: word}
	}
	return archive.Datum{}
}

// quoted consumes a string to its end. Only quotes are escaped in it, by doubling.
func (p *boundText) quoted() string {
	var b strings.Builder
	for {
		n := strings.IndexByte(p.rest, '\'')
		if n < 0 {
			p.failed = true
			return ""
		}
		b.WriteString(p.rest[:n])
		p.rest = p.rest[n+1:]
		if !p.take("'") {
			return b.String()
		}
		b.WriteByte('\'')
	}
}

// partitionSQL returns the CREATE TABLE statement of a partition. Values become string literals,
// which the server converts to the key's types: no text of an archive becomes SQL.
func partitionSQL(schema string, p archive.Partition) (string, error) {
	name, err := schemactx.QuoteName(schema, p.Name)
	if err != nil {
		return "", err
	}
	parent, err := schemactx.QuoteName(schema, p.Parent)
	if err != nil {
		return "", err
	}
	key := ""
	if p.Key != nil {
		columns := make([]string, len(p.Key.Columns))
		for i, c := range p.Key.Columns {
			if columns[i], err = quoteOne(c); err != nil {
				return "", err
			}
		}
		strategy, ok := strategies[p.Key.Strategy]
		if !ok {
			return "", fmt.Errorf("unknown strategy %q", p.Key.Strategy)
		}
		key = " partition by " + strategy + " (" + strings.Join(columns, ", ") + ")"
	}
	return "create table " + name + " partition of " + parent + " " + boundSQL(p.Bound) + key, nil
}

var strategies = map[archive.Strategy]string{
	archive.StrategyList: "list", archive.StrategyRange: "range", archive.StrategyHash: "hash",
}

// boundSQL returns a bound as the server prints it, except that all values are string literals.
func boundSQL(b archive.Bound) string {
	switch b.Strategy {
	case archive.StrategyList:
		return "FOR VALUES IN " + dataSQL(b.Values)
	case archive.StrategyRange:
		return "FOR VALUES FROM " + dataSQL(b.From) + " TO " + dataSQL(b.To)
	case archive.StrategyHash:
		return fmt.Sprintf("FOR VALUES WITH (modulus %d, remainder %d)", b.Modulus, b.Remainder)
	}
	return "DEFAULT"
}

func dataSQL(data []archive.Datum) string {
	texts := make([]string, len(data))
	for i, d := range data {
		switch d.Kind {
		case archive.DatumNull:
			texts[i] = "NULL"
		case archive.DatumMin:
			texts[i] = "MINVALUE"
		case archive.DatumMax:
			texts[i] = "MAXVALUE"
		default:
			texts[i] = "'" + strings.ReplaceAll(d.Text, "'", "''") + "'"
		}
	}
	return "(" + strings.Join(texts, ", ") + ")"
}
