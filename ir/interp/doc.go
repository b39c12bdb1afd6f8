// Package interp is the meaning of the IR: it executes every op slowly and plainly, so
// that each can be read beside its definition in ../SPEC.md. Kernels, passes and emitted
// programs are tested against it; nothing is optimised, and a fused op runs its expansion.
//
// It must not know quantization schemes, file formats, passes or machines; all rounding,
// that to int8 included, is written out here.
package interp
