// Package device is the seam between the engine and what runs its steps: a CPU, emulated
// cards or real ones. It fixes how buffers lie in the arena, for the compiler that plans
// them and the device that reads them, and how the groups of ranks share a step.
//
// It must not know any particular device, graphs or the compiler.
package device
