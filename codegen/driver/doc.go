// Package driver runs whole jobs: it opens a model directory, runs the passes, plans for a
// target and writes the result. One step (compile a checkpoint) and two (quantize, then
// compile what that wrote) go through the same functions and give the same bytes.
//
// It must not know flags, terminals or exit codes: errors are values, progress is a callback.
package driver
