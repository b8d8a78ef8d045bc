package erp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// statement is SQL on behalf of a viewer, as it grows. Values are arguments of it, never part of the text.
type statement struct {
	text   strings.Builder
	args   []any
	viewer Viewer
	noun   noun

	changes bool
	deletes bool // what an error of the database means
}

// reading begins a statement that reads rows of n, or returns [ErrForbidden] where the viewer of ctx may see none, ever.
func reading(ctx context.Context, n noun) (*statement, error) {
	viewer, ok := ViewerFromContext(ctx)
	if !ok {
		return nil, ErrNoViewer
	}
	if _, ok := rules[n].see[viewer.Role]; !ok {
		return nil, fmt.Errorf("a %s and %s: %w", viewer.Role, n.table, ErrForbidden)
	}
	s := &statement{viewer: viewer, noun: n, args: make([]any, 0, 8)}
	s.text.Grow(512) // enough for most
	return s, nil
}

// changing is reading for statements that write.
func changing(ctx context.Context, n noun) (*statement, error) {
	s, err := reading(ctx, n)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(rules[n].change, s.viewer.Role) {
		return nil, fmt.Errorf("a %s and changes of %s: %w", s.viewer.Role, n.table, ErrForbidden)
	}
	s.changes = true
	return s, nil
}

// add adds SQL, in which each ? stands for one of the values.
func (s *statement) add(sql string, values ...any) {
	for _, v := range values {
		before, after, ok := strings.Cut(sql, "?")
		if !ok {
			panic("erp: more values than ? in " + sql)
		}
		s.text.WriteString(before)
		s.text.WriteString(s.value(v))
		sql = after
	}
	s.text.WriteString(sql)
}

// value makes v an argument and returns the parameter that stands for it.
func (s *statement) value(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// visible adds " and ..." so that the statement touches only rows that the viewer may see, and none where the viewer's
// session is over.
func (s *statement) visible() {
	condition := rules[s.noun].see[s.viewer.Role]
	if condition != everything {
		s.text.WriteString(" and (")
		s.text.WriteString(s.named(condition))
		s.text.WriteString(")")
	}
	s.text.WriteString(" and ")
	s.current()
}

// current adds the condition that the viewer's session is still good.
func (s *statement) current() {
	switch {
	case s.viewer.UserID == 0: // nobody whose session could be over
		s.text.WriteString(everything)
	case s.changes && s.noun == userNoun:
		s.add(currentHeld, s.viewer.UserID, s.viewer.Generation, s.viewer.Role)
	default:
		s.add(current, s.viewer.UserID, s.viewer.Generation, s.viewer.Role)
	}
}

// named puts something in the place of names: the condition for what the viewer sees of the table classes in that of
// @classes, of others likewise, and in that of @me the viewer's user. Where the role sees none of the table it is false.
func (s *statement) named(sql string) string {
	if !strings.Contains(sql, "@") {
		return sql
	}
	for _, n := range []noun{classNoun, studentNoun, teacherNoun, parentNoun} {
		if name := "@" + n.table; strings.Contains(sql, name) {
			sql = strings.ReplaceAll(sql, name, "("+cmp.Or(rules[n].see[s.viewer.Role], "false")+")")
		}
	}
	if strings.Contains(sql, "@me") {
		sql = strings.ReplaceAll(sql, "@me", s.value(s.viewer.UserID))
	}
	return sql
}
