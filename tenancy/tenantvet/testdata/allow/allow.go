// Package allow has allowances of all kinds.
package allow

//tenantvet:allow tenantsql a reason

/* want `//tenantvet:allow tenantsql: the reason is missing` */ //tenantvet:allow tenantsql

// want +1 `unknown analyzer "nothing": use one of tenantswitch, tenantpool, tenantsql, tenantctx`
//tenantvet:allow nothing a reason

/* want `//tenantvet:allow: unknown analyzer ""` */ //tenantvet:allow

//tenantvet:allowed is another word
