// Package cards makes bundles for cards and judges them: it strings together what selects, lowers,
// prints and executes kernels, for whoever compiles or verifies.
//
// It must not know flags, terminals or exit codes.
package cards
