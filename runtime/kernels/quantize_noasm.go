//go:build !amd64 || purego

package kernels

func maxAbsBits(x []float32) uint32                 { return maxAbsBitsGeneric(x) }
func quantize(dst []int8, x []float32, inv float32) { quantizeGeneric(dst, x, inv) }
