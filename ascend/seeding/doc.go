// Package seeding finds out whether faults in emitted kernels are noticed: it takes one flag, wait,
// barrier, filling, guard or bound after another out of a kernel (see device.Mutants), asks the
// verifier, and executes on the emulated chip what the verifier lets pass, at the gate's cases.
//
// It must not know how kernels are built or flags derived.
package seeding
