// Package tensor holds plain tensors: an element type, dimensions and a Go slice of
// elements. It is what the interpreter computes with and what tests compare.
//
// It must not know graphs, ops, files or machines.
package tensor
