package tenancy

// Allowed reports whether the operation is possible on a tenant of that status:
//
//	                    provisioning  active  suspended  maintenance
//	resume                   yes        (1)      (1)         (1)
//	update                   yes        yes      yes         yes
//	operations on domains    yes        yes      yes         yes
//	rename, replace schema    -         yes      yes         yes
//	confirm, revert           -         yes      yes         yes
//	suspend                   -         yes      yes (2)     yes (3)
//	activate                  -         yes (4)  yes          -
//	start maintenance         -         yes       -          yes (2)
//	end maintenance           -         yes (4)   -          yes
//
// A stocked tenant and one that is being dropped allow none of these.
//
//  1. Where a rename or a replacement of the schema has not ended; else a [StatusError].
//  2. Changes reason and time alone.
//  3. The maintenance is over with that: [Manager.Activate] makes the tenant active.
//  4. Changes nothing.
//
// A suspended tenant cannot be taken out of its suspension by the end of a maintenance that had
// begun before, and one in maintenance is not served because somebody activates it.
func (op Op) Allowed(s Status) bool {
	switch op {
	case OpResume, OpUpdate,
		OpAddDomain, OpClaimDomain, OpVerifyDomain, OpSetPrimaryDomain, OpRemoveDomain, OpMoveDomain:
		return s == Provisioning || s == Active || s == Suspended || s == Maintenance
	case OpRename, OpSuspend, OpReplace, OpConfirm, OpRevert:
		return s == Active || s == Suspended || s == Maintenance
	case OpActivate:
		return s == Active || s == Suspended
	case OpStartMaintenance, OpEndMaintenance:
		return s == Active || s == Maintenance
	}
	return false
}

// check returns a [StatusError] unless the tenant's status allows the operation.
func (op Op) check(t *Tenant) error {
	if !op.Allowed(t.Status) {
		return &StatusError{Op: op, Slug: t.Slug, Status: t.Status}
	}
	return nil
}
