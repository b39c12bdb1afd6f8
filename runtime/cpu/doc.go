// Package cpu says what the processor can do and runs work on all of its cores: the
// instruction set level the kernels use, cache sizes, and a fixed pool of workers.
//
// It must not know tensors, weights or kernels.
package cpu
