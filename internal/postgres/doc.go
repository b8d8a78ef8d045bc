// Package postgres has what several packages need for statements that they build themselves: the
// version of the server, and values as the text of a statement.
package postgres
