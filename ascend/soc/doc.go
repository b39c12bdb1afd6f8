// Package soc describes the Ascend chips that kernels are written for as tables: units,
// clocks, memories and what of them is usable, rates, limits of parameters, flags, which
// calls, element types and cast modes exist, arch strings, collectives. Every row says where
// it is from. The kernel verifier, the emulator (through CppConstants), the cost model and
// the command line read these rows and no others.
//
// It must not know kernels, graphs or how anything is lowered, and must not decide: it holds
// data with lookups.
package soc
