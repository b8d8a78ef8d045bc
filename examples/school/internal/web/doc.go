// Package web has the common parts of the example's pages: the layout, the style sheet, security
// headers, forms, and messages that are shown after a redirect.
//
// There are no scripts and no build step. Every change is a posted form, which is answered with a
// redirect.
package web
