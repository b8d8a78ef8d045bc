// Package requestid says which characters a request id may have.
package requestid
