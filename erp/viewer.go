package erp

import "context"

// Role is what a user does in the school. It decides what the user sees and changes: see
// visibility.go.
type Role string

// The roles.
const (
	RoleAdmin   Role = "admin"
	RoleTeacher Role = "teacher"
	RoleParent  Role = "parent"
	RoleStudent Role = "student"

	// RoleVisitor is the role of a client without a session, in a program that lets the public look
	// around, see [HandlerConfig].Anonymous. No user has it.
	RoleVisitor Role = "visitor"
)

// Viewer is the person or program for which a store reads or writes. A store limits everything to
// what its viewer may see and change.
type Viewer struct {
	Role Role

	// UserID is the id of the user. 0: no user, as in [System] and [Visitor].
	UserID int64

	// Generation is the generation of the user's sessions when this one began. Each statement checks
	// that it is still current, that the user has the same role and is not disabled. So the end of a
	// session takes effect at once. Without a UserID it is not used.
	Generation int64
}

// System returns the viewer of the program itself, as in jobs and imports: an admin without a user.
func System() Viewer { return Viewer{Role: RoleAdmin} }

// Visitor returns a viewer that sees students, teachers and classes, and changes nothing.
func Visitor() Viewer { return Viewer{Role: RoleVisitor} }

type viewerKey struct{}

// viewerContext is a context with a viewer. A type of its own costs one allocation;
// context.WithValue costs two.
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

// NewContext returns a child of ctx in which stores work for v.
func NewContext(ctx context.Context, v Viewer) context.Context {
	return &viewerContext{Context: ctx, viewer: v}
}

// ViewerFromContext returns the viewer of ctx, or false without one: stores then return
// [ErrNoViewer]. It does not allocate.
func ViewerFromContext(ctx context.Context) (Viewer, bool) {
	if c, ok := ctx.Value(viewerKey{}).(*viewerContext); ok {
		return c.viewer, true
	}
	return Viewer{}, false
}
