// Package demo makes up three schools with some hundred students each, the same ones at every
// start: classes, teachers, parents, and who can log in.
//
// Rows are copied, not inserted one by one: a school takes a few milliseconds.
package demo
