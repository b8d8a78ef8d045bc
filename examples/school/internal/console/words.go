package console

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// known are the errors whose own words are for staff, who may know what is behind them.
var known = []error{
	tenancy.ErrNotFound, tenancy.ErrSlugTaken, tenancy.ErrDomainTaken, tenancy.ErrStatus, tenancy.ErrConflict, tenancy.ErrBusy,
	tenancy.ErrDomainNotFound, tenancy.ErrPrimaryDomain, tenancy.ErrNotVerified, tenancy.ErrNothingAside,
	tenancy.ErrReplaced, tenancy.ErrDropDisabled, tenancy.ErrDropToken, tenancy.ErrDropExpired, tenancy.ErrDropRequest,
	tenancy.ErrDropNotApproved, tenancy.ErrOwnApproval, tenancy.ErrNoFreshBackup,
	backup.ErrNotFound, backup.ErrUnsupported, backup.ErrDrift, backup.ErrChanged, backup.ErrVersions, backup.ErrMismatch, backup.ErrRows,
	backup.ErrOtherTenant, backup.ErrContent, staff.ErrCode, staff.ErrThrottled, migrate.ErrSchemaMissing,
}

// words says what went wrong: what people can do something about as it is, the rest in the program's log.
func (c *console) words(r *http.Request, err error) string {
	var field *tenancy.FieldError
	if errors.As(err, &field) {
		return "The " + field.Field + " " + field.Rule + "."
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
	return "That did not work. The program's log says why; it can be tried again."
}

// failed shows that a page could not be made: what is not there is 404, and the rest the program's trouble.
func (c *console) failed(w http.ResponseWriter, r *http.Request, err error) {
	var field *tenancy.FieldError
	switch {
	case errors.Is(err, tenancy.ErrNotFound), errors.Is(err, tenancy.ErrDropRequest):
		c.missing(w, r, "There is no such school, or no more.")
	case errors.As(err, &field):
		c.Render(w, r, http.StatusUnprocessableEntity, "missing", c.page(r, "Not a question", c.words(r, err)))
	default:
		c.Broken(w, r, err)
	}
}
