// Package postgres has what several packages need for statements that they build themselves: the
// version of the server, and values as the text of a statement. It also has the environment with
// which programs of libpq connect.
package postgres
