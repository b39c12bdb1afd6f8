// Package ranks runs a bundle that is cut for several ranks on one machine: every rank is a runner of
// another device in a goroutine of its own, and all together are one device to the engine.
//
// A sequence is pinned to one of attention's data-parallel groups. A step is cut by group, each group's
// tokens padded to the same number of rows, and what the ranks give is put together in the order of the
// step. If one rank fails, the others stop and all caches are as before.
//
// The package must not know what a rank's device is, graphs or compilers.
package ranks
