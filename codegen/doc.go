// Package codegen turns a graph after all passes into a bundle: a plan of op-codes over an
// arena, the sections of weights that the plan reads, and the streamed evaluation that
// fills them within a memory bound.
//
// What is particular to a target (kernel choice, layouts) lives in codegen/cpu and, for
// Ascend cards, in ascend. The package must not know command lines or how steps are run.
package codegen
