// Package golangci makes the analyzers of tenantvet a plugin of golangci-lint, in its module plugin
// system. Run "golangci-lint custom" to build a golangci-lint with the plugin from this
// .custom-gcl.yml:
//
//	version: v2.15.0
//	plugins:
//	  - module: github.com/oryne/pgtenant/tenancy/tenantvet
//	    import: github.com/oryne/pgtenant/tenancy/tenantvet/golangci
//	    version: latest
//
// Enable it in .golangci.yml. All settings are optional:
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
// Allowances in comments work as in package tenantvet. //nolint:tenantvet works too and needs no
// reason.
package golangci
