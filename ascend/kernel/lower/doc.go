// Package lower turns a kernel of the author level into a device program for one chip, in the
// steps of the table in lower.go: statements become calls with pipes and byte ranges; flags are
// derived from those; streams unroll their first load; memory gets addresses; barriers go where one
// pipe depends on itself.
//
// It must not know any particular kernel, nor the language that is printed.
package lower
