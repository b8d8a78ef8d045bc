// Package text shortens values for errors.
package text
