// Package allow has allowances of all kinds.
package allow

//tenantvet:allow tenantsql a reason


/* want `//tenantvet:allow tenantsql: the reason is missing` */ //tenantvet:allow tenantsql

/* want `//tenantvet:allow: there is no analyzer "tenantnothing": it is one of tenantswitch, tenantpool, tenantsql, tenantctx` */ //tenantvet:allow tenantnothing a reason

/* want `there is no analyzer ""` */ //tenantvet:allow

//tenantvet:allowed is another word
