// Package web is what the pages of the example have in common: a layout, one style sheet, the
// headers that keep a browser from running anything else, forms, and the messages that survive one
// redirect.
//
// There is no script and no build step. Whatever is done is done by a form that is posted and
// answered with a redirect.
package web
