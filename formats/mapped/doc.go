// Package mapped opens files for reading through memory mappings, and turns the memory fault
// of a file that shrinks under its mapping into an error instead of a crash.
//
// It is a leaf: it must not know what any file contains.
package mapped
