// Package host writes the project around lowered kernels: their sources in the names of CANN
// 8.x and 9.x, a CMake project for each, the structs of launch arguments, and a README that
// says how to build and launch them.
//
// It must not know graphs or models: what the kernels compute is theirs to say.
package host
