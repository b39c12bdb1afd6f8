// Package emu executes Ascend C kernels on a CPU: exactly the text that CANN's compiler would get.
//
// It brings its own kernel_operator.h and a runtime (both in cpp, embedded in the binary), compiles
// kernels against them with the host's C++ compiler, and runs them in a child process over memory
// it shares with that process. Instructions go through queues as on the device; races are decided
// by happens-before over bytes in every run, whatever order was chosen; undefined bytes are
// followed to where they would matter; the same run yields a predicted timeline.
//
// It must not know where kernels come from: no graph, no builder, no bundle.
package emu
