// Package golangci makes the analyzers of tenantvet a plugin of golangci-lint, by its module plugin
// system. A golangci-lint that has them is built from .custom-gcl.yml:
//
//	version: v2.15.0
//	plugins:
//	  - module: github.com/oryne/pgtenant/tenancy/tenantvet
//	    import: github.com/oryne/pgtenant/tenancy/tenantvet/golangci
//	    version: latest
//
// with "golangci-lint custom", and .golangci.yml enables it; all settings may be left out:
//
//	linters:
//	  enable: [tenantvet]
//	  settings:
//	    custom:
//	      tenantvet:
//	        type: module
//	        settings:
//	          allow: [example.com/app/jobs/...]
//	          schemas: "tenant_[0-9]+"
//	          tests: false
//
// Allowances in comments are those of package tenantvet; //nolint:tenantvet works as well and asks
// for no reason.
package golangci
