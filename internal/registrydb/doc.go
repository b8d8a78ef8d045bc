// Package registrydb runs the statements of the packages that keep tables in the registry's schema.
// Their SQL has the mark {registry} in place of the schema. No server accepts the mark, so that a
// statement that bypasses this package fails in every registry, also in one in the schema public.
package registrydb
