package erp

import (
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// filter limits the rows of a list: SQL conditions, all of which must hold, and their arguments.
type filter struct {
	conditions []string
	args       pgx.StrictNamedArgs
}

// value sets an argument.
func (f *filter) value(name string, value any) {
	if f.args == nil {
		f.args = pgx.StrictNamedArgs{}
	}
	f.args[name] = value
}

// add adds a condition with one argument. PostgreSQL cannot store some texts and returns an error
// for them. No row has such a text, so the condition is false.
func (f *filter) add(condition, name string, value any) {
	if text, ok := value.(string); ok && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
		f.conditions = append(f.conditions, "false")
		return
	}
	f.conditions = append(f.conditions, condition)
	f.value(name, value)
}

// id adds a condition unless id is 0.
func (f *filter) id(condition, name string, id int64) {
	if id != 0 {
		f.add(condition, name, id)
	}
}

// text adds a condition unless text is empty.
func (f *filter) text(condition, name, text string) {
	if text != "" {
		f.add(condition, name, text)
	}
}

// day adds a condition unless day is nil.
func (f *filter) day(condition, name string, day *Date) {
	if day != nil {
		f.add(condition, name, *day)
	}
}

// search adds the condition that the SQL expression contains text, ignoring upper and lower case,
// unless text is empty. The text is not a pattern: % and _ stand for themselves.
func (f *filter) search(expression, text string) {
	f.text("strpos(lower("+expression+"), lower(@search)) > 0", "search", text)
}
