// Package kernels is the inner loops of the engine: matrix products on tiled weights, dot
// products, normalisation, activations and quantization of activations, each in portable Go
// and, on amd64, in AVX2 and AVX-512 assembly.
//
// Every kernel gives the same bits on every instruction set level, for any number of rows
// and any split of the work: the comment of each function fixes the order of its operations,
// every product and every sum is rounded to float32, and nothing is fused. Only the payload
// of a NaN is left open.
//
// A kernel family is five files: x.go (API, checks and the portable code, compiled
// everywhere), x_amd64.go (dispatch), x_amd64.s and x_stub_amd64.go (generated from _asm) and
// x_noasm.go (other machines, and the build tag purego).
//
// Multi-byte elements are little-endian. Kernels check the lengths of their slices and panic
// with "BUG:" before any memory is touched. They start no goroutines and keep no state, and
// the package must not know graphs, files, caches of keys and values, or threads.
package kernels

//go:generate go -C _asm run .
