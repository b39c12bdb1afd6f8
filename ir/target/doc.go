// Package target says what a machine can do, as plain data: element types, alignments,
// memories, units, clocks, rates and collectives. Whoever knows a machine fills a Machine;
// passes read it and never ask for a name.
//
// It must not know graphs, kernels or any particular machine, and must not decide anything:
// besides the data there are only lookups.
package target
