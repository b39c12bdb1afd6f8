// Package device is the lowered form of a kernel: a tree of loops and calls of the Ascend C API for
// one chip, each call with its pipe and the bytes it reads and writes, with flags and barriers in
// place; its text form, its printer to C++, its verifier, an abstract machine that decides races
// and flag protocol on sampled paths, and the mutants that fault seeding runs.
//
// It must not know how author statements become calls, nor derive a flag: see package lower.
package device
