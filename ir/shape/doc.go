// Package shape describes tensor dimensions that are either fixed or grow with the
// scalars of a step, such as its number of tokens.
//
// It is a leaf: it must not know element types, graphs or machines.
package shape
