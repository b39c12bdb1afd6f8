//go:build !amd64 || purego

package cpu

// assembly tells whether this build has kernels above the generic level.
const assembly = false
