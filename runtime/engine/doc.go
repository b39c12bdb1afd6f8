// Package engine opens a bundle and makes text with it: sequences that grow by feeding
// tokens, ragged steps over several of them, and generation with sampling, stop strings and
// streaming.
//
// An Engine may be used by several goroutines, whose steps take turns. The package must not
// know graphs, the compiler, or how a device computes.
package engine
