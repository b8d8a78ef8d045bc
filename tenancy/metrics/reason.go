package metrics

import (
	"errors"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Values of the label reason: why a request was not served.
const (
	reasonUnknownHost   = "unknown_host"
	reasonInvalidHost   = "invalid_host"
	reasonAmbiguous     = "ambiguous"      // the request names two sites
	reasonSuspended     = "suspended"      // the tenant's status is Suspended
	reasonMaintenance   = "maintenance"    // the tenant's status is Maintenance
	reasonNotReady      = "not_ready"      // the tenant's status is Provisioning
	reasonQuarantined   = "quarantined"    // the program cannot work with the schema as it is
	reasonGone          = "gone"           // the tenant has any other status, such as Dropping
	reasonNoSite        = "no_site"        // tenanthttp.ErrNoSite
	reasonNoSession     = "no_session"     // tenanthttp.ErrNoSession
	reasonBadSession    = "bad_session"    // a token that is forged or expired
	reasonForeignTenant = "foreign_tenant" // a session of another tenant
	reasonUnavailable   = "unavailable"    // any other refusal with a status of 500 or above
	reasonOther         = "other"          // any other refusal, such as one by the program
)

var reasons = []string{
	reasonUnknownHost,
	reasonInvalidHost,
	reasonAmbiguous,
	reasonSuspended,
	reasonMaintenance,
	reasonNotReady,
	reasonQuarantined,
	reasonGone,
	reasonNoSite,
	reasonNoSession,
	reasonBadSession,
	reasonForeignTenant,
	reasonUnavailable,
	reasonOther,
}

func reasonOf(refusal tenanthttp.Refusal) string {
	var inactive *tenancy.InactiveError
	if errors.As(refusal.Err, &inactive) {
		return statusReason(inactive.Status)
	}
	var quarantined *tenancy.QuarantineError
	if errors.As(refusal.Err, &quarantined) {
		return reasonQuarantined
	}
	for _, r := range []struct {
		err    error
		reason string
	}{
		{tenancy.ErrUnknownHost, reasonUnknownHost},
		{tenancy.ErrInvalidHost, reasonInvalidHost},
		{tenancy.ErrAmbiguousTenant, reasonAmbiguous},
		{tenanthttp.ErrNoSite, reasonNoSite},
		{tenanthttp.ErrNoSession, reasonNoSession},
		{tenanttoken.ErrForeignTenant, reasonForeignTenant},
		{tenanttoken.ErrBadToken, reasonBadSession},
		{tenanttoken.ErrTokenExpired, reasonBadSession},
	} {
		if errors.Is(refusal.Err, r.err) {
			return r.reason
		}
	}
	if refusal.Problem.Status >= 500 {
		return reasonUnavailable
	}
	return reasonOther
}

func statusReason(s tenancy.Status) string {
	switch s {
	case tenancy.Suspended:
		return reasonSuspended
	case tenancy.Maintenance:
		return reasonMaintenance
	case tenancy.Provisioning:
		return reasonNotReady
	}
	return reasonGone
}
