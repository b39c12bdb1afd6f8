// Package scalar holds the run-time integers of a kernel: typed expressions over parameters, loop
// variables and values read from tiles, with the interval each can take, and a small prover of
// inequalities between them (linear forms; minima, maxima, floors; loop bounds substituted
// innermost first). Offsets, counts and flags of kernels are made of nothing else.
//
// It must not know tiles, statements, chips or the language that is printed.
package scalar
