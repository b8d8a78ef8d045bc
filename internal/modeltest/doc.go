// Package modeltest holds the model-based test of package schemactx: random sequences of what programs do with it, after
// each step of which the server itself is asked what the next tenant would find, and the pools what they still hold.
//
// It is a module of its own, so that rapid, which draws the sequences, reaches neither the go.mod nor the go.sum of those
// who import pgtenant.
package modeltest
