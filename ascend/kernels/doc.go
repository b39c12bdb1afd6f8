// Package kernels holds the kernels of a decoder step at the author level, one file a kernel. Each
// takes a spec with the shapes baked in and returns a kernel.Kernel; only token counts, offsets and
// positions are arguments of the running kernel.
//
// Conventions that all of them share:
//
//   - Activations in device memory are row-major; a row begins on a 32-byte block, and storage is
//     allocated to multiples of 16 rows. Weights and pages of keys and values are NZ.
//   - Int8 rows come with one f32 scale a row (RowScales); integers for each token are packed
//     (Indices) or lie in a row of 32 bytes for each token (TokenRows).
//   - Every core owns whole 32-byte blocks of what it writes, and bytes of padding columns are
//     written as zeros, so that every byte of a result is defined.
//   - Numerics: halves are inputs and results, arithmetic is in f32, and each rounding to half is
//     stated where it happens.
//
// The package must not know chips, pipes, flags or graphs: what a chip has is decided when a kernel
// is lowered, and what a graph needs by whoever fills in the spec.
package kernels
