package console

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// known are the errors whose text staff see. Other errors go to the log.
var known = []error{
	tenancy.ErrNotFound,
	tenancy.ErrSlugTaken,
	tenancy.ErrDomainTaken,
	tenancy.ErrStatus,
	tenancy.ErrConflict,
	tenancy.ErrBusy,
	tenancy.ErrDomainNotFound,
	tenancy.ErrPrimaryDomain,
	tenancy.ErrNotVerified,
	tenancy.ErrNoRetainedSchema,
	tenancy.ErrReplaced,
	tenancy.ErrDropDisabled,
	tenancy.ErrDropToken,
	tenancy.ErrDropExpired,
	tenancy.ErrDropRequest,
	tenancy.ErrDropNotApproved,
	tenancy.ErrSelfApproval,
	tenancy.ErrNoFreshBackup,
	backup.ErrNotFound,
	backup.ErrUnsupported,
	backup.ErrDrift,
	backup.ErrChanged,
	backup.ErrVersions,
	backup.ErrMismatch,
	backup.ErrRows,
	backup.ErrOtherTenant,
	backup.ErrContent,
	staff.ErrCode,
	staff.ErrThrottled,
	migrate.ErrSchemaMissing,
}

// errorText returns the text of an error for staff. An error that staff can do nothing about goes
// to the log.
func (c *console) errorText(r *http.Request, err error) string {
	var field *tenancy.FieldError
	if errors.As(err, &field) {
		return refused(field.Field, field.Rule)
	}
	var dependents *admin.DependentsError
	if errors.As(err, &dependents) {
		return "Not done: " + err.Error() + "."
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return "Not done: " + err.Error() + "."
		}
	}
	c.Logger.ErrorContext(r.Context(), "console", slog.String("path", r.URL.Path), slog.Any("error", err))
	return "The action failed. The program's log says why. You can try again."
}

// refused returns the text for a field that was refused.
func refused(field, rule string) string {
	if field == "slug" {
		field = "short name" // as the pages call it
	}
	return "The " + strings.ReplaceAll(field, "_", " ") + " " + rule + "."
}

// failed answers a request whose page could not be made: 404 for a missing school, 422 for an
// invalid field, otherwise the page for an error of the program.
func (c *console) failed(w http.ResponseWriter, r *http.Request, err error) {
	var field *tenancy.FieldError
	switch {
	case errors.Is(err, tenancy.ErrNotFound), errors.Is(err, tenancy.ErrDropRequest):
		c.missing(w, r, "This school does not exist.")
	case errors.As(err, &field):
		c.Render(w, r, http.StatusUnprocessableEntity, "missing", c.page(r, "Invalid search", c.errorText(r, err)))
	default:
		c.Broken(w, r, err)
	}
}
