package tenancy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/text"
)

// The limits of the values that [Manager.Update] sets.
const (
	MaxPlanLen     = 100      // characters of a plan's name
	MaxLimits      = 100      // limits of one tenant
	MaxLimitLen    = 63       // bytes of a limit's name
	MaxMetadataLen = 64 << 10 // bytes of a tenant's metadata
)

// Changes are the fields that [Manager.Update] sets. A nil field stays unchanged.
type Changes struct {
	Name *string // see [ValidateDisplayName]
	Plan *string // one line of at most [MaxPlanLen] characters; may be empty

	// Limits replace all limits of the tenant; an empty map removes them. Names match [a-z][a-z0-9_]*,
	// numbers are not negative.
	Limits map[string]int64

	// Metadata replaces all metadata of the tenant: a JSON object of at most [MaxMetadataLen] bytes.
	Metadata json.RawMessage
}

func (c Changes) validate() error {
	if c.Name != nil {
		if err := ValidateDisplayName(*c.Name); err != nil {
			return err
		}
	}
	if c.Plan != nil {
		if err := validateText("plan", *c.Plan, MaxPlanLen, "is longer than 100 characters"); err != nil {
			return err
		}
	}
	if err := validateLimits(c.Limits); err != nil {
		return err
	}
	return validateMetadata(c.Metadata)
}

var limitName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func validateLimits(limits map[string]int64) error {
	if len(limits) > MaxLimits {
		return &FieldError{Field: "limits", Value: strconv.Itoa(len(limits)), Rule: "are more than 100"}
	}
	for name, n := range limits {
		refuse := func(rule string) error {
			return &FieldError{Field: "limits", Value: text.Clip(name) + "=" + strconv.FormatInt(n, 10), Rule: rule}
		}
		switch {
		case len(name) > MaxLimitLen:
			return refuse("has a name longer than 63 bytes")
		case !limitName.MatchString(name):
			return refuse("has a name that does not match [a-z][a-z0-9_]*")
		case n < 0:
			return refuse("is negative")
		}
	}
	return nil
}

func validateMetadata(metadata json.RawMessage) error {
	if metadata == nil {
		return nil
	}
	refuse := func(rule string) error {
		return &FieldError{Field: "metadata", Value: text.Clip(string(metadata)), Rule: rule}
	}
	switch {
	case len(metadata) > MaxMetadataLen:
		return refuse("are longer than 65536 bytes")
	case !utf8.Valid(metadata):
		return refuse("are not valid UTF-8")
	case !json.Valid(metadata):
		return refuse("are not valid JSON")
	case !bytes.HasPrefix(bytes.TrimLeft(metadata, " \t\r\n"), []byte("{")):
		return refuse("are not a JSON object")
	}
	return nil
}

// Update changes a tenant that the caller has read, from any [Registry]. It fails if the row has
// changed since: if its Version is not that of read. It returns the tenant's new row. If all values
// are equal to the current ones, the Version stays.
//
// The error is a [FieldError], also for a plan that is not among [Config].Plans, [ErrNotFound], a
// [ConflictError], which has the current row, or a [StatusError], and nothing was changed. Any
// other error is a [StepError].
func (m *Manager) Update(ctx context.Context, read Tenant, c Changes) (Tenant, error) {
	if err := c.validate(); err != nil {
		return Tenant{}, err
	}
	if c.Plan != nil && *c.Plan != read.Plan {
		if err := m.CheckPlan(*c.Plan); err != nil {
			return Tenant{}, err
		}
	}
	t, l, err := m.lockByID(ctx, read.ID)
	if err != nil {
		return Tenant{}, fmt.Errorf("update: %w", err)
	}
	defer l.release(ctx)
	if t.Version != read.Version {
		return t, &ConflictError{Current: t, Version: read.Version}
	}
	if err := OpUpdate.check(&t); err != nil {
		return t, err
	}
	err = m.run(ctx, l, OpUpdate, &t, step{name: "row", run: func(ctx context.Context) error {
		return l.applyChanges(ctx, &t, c)
	}})
	return t, err
}

// CheckPlan returns a [FieldError] for a plan that [Manager.Update] would refuse: one that is
// malformed or not among [Config].Plans. It makes no query.
func (m *Manager) CheckPlan(plan string) error {
	if err := (Changes{Plan: &plan}).validate(); err != nil {
		return err
	}
	if plan == "" || m.cfg.Plans == nil {
		return nil
	}
	plans := m.cfg.Plans()
	if slices.Contains(plans, plan) {
		return nil
	}
	return &FieldError{Field: "plan", Value: plan, Rule: "is not one of the plans: " + strings.Join(plans, ", ")}
}

// applyChanges checks the version again in its statement, because a change by hand-written SQL
// takes no lock.
func (l *lock) applyChanges(ctx context.Context, t *Tenant, c Changes) error {
	read := t.Version
	err := l.change(ctx, t, t.update("version = $2", `name = coalesce($3, name), plan = coalesce($4, plan),
		limits = coalesce($5, limits), metadata = coalesce($6, metadata)`, read, c.Name, c.Plan, c.Limits, c.Metadata), nil)
	var pgErr *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		if err := l.change(ctx, t, t.unchanged(), nil); err != nil {
			return err
		}
		return &ConflictError{Current: *t, Version: read}
	case errors.As(err, &pgErr) && refusesValue(pgErr.Code):
		// The other values are checked already. This is JSON that Go accepts and PostgreSQL refuses.
		value := text.Clip(string(c.Metadata))
		return &FieldError{Field: "metadata", Value: value, Rule: "are not what PostgreSQL can store", Err: pgErr}
	}
	return err
}

// refusesValue reports whether a SQLSTATE says that PostgreSQL cannot store a value: a NUL, half of
// a surrogate pair or a number out of range in JSON (class 22), or arrays nested too deep (54001).
func refusesValue(state string) bool { return strings.HasPrefix(state, "22") || state == "54001" }
