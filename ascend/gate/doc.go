// Package gate executes the text of every kernel of a bundle on a CPU and compares what it gives
// with a reference, before the bundle ships.
//
// A reference (one file a kind of kernel, ref_*.go) is plain Go written from what the op means: it
// generates cases with inputs that a step can have, and says for each element of each output what
// it must be and how far a rounding may take it. It knows the layouts of arguments from the
// documentation of the kernel and nothing of how the kernel works.
//
// It must not know graphs, bundles or files: which kernels there are is the caller's to say.
package gate
