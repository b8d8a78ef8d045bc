// Package demo generates three schools with some hundred students each: classes, teachers, parents,
// fees, and users who can log in. Every start generates the same data.
//
// The rows are copied, not inserted one by one: a school takes a few milliseconds.
package demo
