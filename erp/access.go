package erp

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// access is what one viewer may do with the rows of one table. Its methods return conditions for
// the SQL of a store, from the rules in visibility.go. They name the viewer as @viewer_id,
// @viewer_generation and @viewer_role; [access.args] sets them.
type access struct {
	viewer  Viewer
	entity  entity
	changes bool // the statement writes rows of the table
	deletes bool // the statement deletes, which decides what a foreign key error means
}

// mayRead returns the access of the viewer of ctx, or [ErrForbidden] if the viewer's role sees no
// row of the table.
func mayRead(ctx context.Context, e entity) (access, error) {
	viewer, ok := ViewerFromContext(ctx)
	if !ok {
		return access{}, ErrNoViewer
	}
	if _, ok := rules[e].see[viewer.Role]; !ok {
		return access{}, fmt.Errorf("a %s and %s: %w", viewer.Role, e.table, ErrForbidden)
	}
	return access{viewer: viewer, entity: e}, nil
}

// mayChange is mayRead for statements that write: the error is [ErrForbidden] if the viewer's role
// may not change rows of the table.
func mayChange(ctx context.Context, e entity) (access, error) {
	a, err := mayRead(ctx, e)
	if err != nil {
		return access{}, err
	}
	if !slices.Contains(rules[e].change, a.viewer.Role) {
		return access{}, fmt.Errorf("a %s and changes of %s: %w", a.viewer.Role, e.table, ErrForbidden)
	}
	a.changes = true
	return a, nil
}

// visible is the condition for the rows of the table that the viewer may see. It is false for every
// row if the viewer's session is over.
func (a access) visible() string { return a.sees(a.entity) + " and " + a.session() }

// sees is the condition for the rows of another table that the viewer may see, false if the
// viewer's role sees none. The SQL around it names the table by its own name.
func (a access) sees(e entity) string {
	return "(" + cmp.Or(rules[e].see[a.viewer.Role], "false") + ")"
}

// session is the condition that the viewer's session is valid.
func (a access) session() string {
	switch {
	case a.viewer.UserID == 0: // no user, so no session that could end
		return everything
	case a.changes && a.entity == userEntity:
		return sessionLocked
	}
	return sessionValid
}

// args returns the arguments of a statement, with those of the viewer that it names. It is strict:
// a name that only the statement or only the arguments have is an error.
func (a access) args(sql string, args pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	all := make(pgx.StrictNamedArgs, len(args)+3)
	maps.Copy(all, args)
	for name, value := range map[string]any{
		"viewer_id": a.viewer.UserID, "viewer_generation": a.viewer.Generation, "viewer_role": a.viewer.Role,
	} {
		if strings.Contains(sql, "@"+name) {
			all[name] = value
		}
	}
	return all
}
