// Package dl loads shared libraries and calls their functions, without cgo: on Linux, on amd64 and
// arm64, unless the build tag nonpu leaves it out, which keeps the program statically linked.
//
// It must not know which libraries, or what their functions do.
package dl
