//go:build !amd64 || purego

package kernels

func swiGLU(dst, gate, up []float32)            { swiGLUGeneric(dst, gate, up) }
func maxF32(x []float32) float32                { return maxF32Generic(x) }
func expSum(x []float32, shift float32) float32 { return expSumGeneric(x, shift) }
