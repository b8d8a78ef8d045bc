// Command tenantvet runs the analyzers of package tenantvet, by itself on packages or as the vet
// tool of the go command.
//
//	go vet -vettool=$(which tenantvet) ./...
//	tenantvet ./...
//	tenantvet help tenantsql
package main
