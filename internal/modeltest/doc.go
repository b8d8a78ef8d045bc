// Package modeltest holds the model-based test of package schemactx. It runs random sequences of
// calls as programs make them. After each step it asks the server what the next tenant would find
// on each connection, and the pools which connections they hold.
//
// It is a separate module, so that rapid, which draws the sequences, reaches neither the go.mod nor
// the go.sum of programs that import pgtenant.
package modeltest
