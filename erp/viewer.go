package erp

import "context"

// Role says what a user does in the school, and with it what they may see and change: visibility.go has the table.
type Role string

// The roles.
const (
	RoleAdmin   Role = "admin"
	RoleTeacher Role = "teacher"
	RoleParent  Role = "parent"
	RoleStudent Role = "student"

	// RoleVisitor is nobody's in particular: a program that lets people look around without a session gives it to them,
	// see [HandlerConfig].Anonymous. No user has it.
	RoleVisitor Role = "visitor"
)

// Viewer is on whose behalf something is read or written. Everything that a store does is limited to what its viewer
// may see and change.
type Viewer struct {
	Role Role

	// UserID is the user's. 0: no user, as with [System] and visitors.
	UserID int64

	// Generation is that of the user's sessions when this one began. Each statement looks whether it still is, and
	// whether the user still has the role and is not disabled: what a session may do ends at once. Not used without a
	// UserID.
	Generation int64
}

// System returns the viewer that is the program itself, as in jobs and imports. It is an admin without a user.
func System() Viewer { return Viewer{Role: RoleAdmin} }

// Visitor returns the viewer that may look at students, teachers and classes and change nothing.
func Visitor() Viewer { return Viewer{Role: RoleVisitor} }

type viewerKey struct{}

// viewerContext is a context of its own, and no value in one: that is one allocation instead of two.
type viewerContext struct {
	context.Context
	viewer Viewer
}

func (c *viewerContext) Value(key any) any {
	if key == (viewerKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// NewContext returns a child of ctx in which stores work on behalf of v.
func NewContext(ctx context.Context, v Viewer) context.Context {
	return &viewerContext{Context: ctx, viewer: v}
}

// ViewerFromContext returns on whose behalf ctx is, or false where nobody has said so; stores then refuse with
// [ErrNoViewer]. It does not allocate.
func ViewerFromContext(ctx context.Context) (Viewer, bool) {
	if c, ok := ctx.Value(viewerKey{}).(*viewerContext); ok {
		return c.viewer, true
	}
	return Viewer{}, false
}
